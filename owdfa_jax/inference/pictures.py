"""Turns a stream of new images and videos into batches, on threads."""

import collections
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from input_pipeline.batches import Batch
from input_pipeline.errors import UserError
from input_pipeline.face_tracks import follow_faces
from input_pipeline.faces import FaceBox
from input_pipeline.images import read_file
from input_pipeline.loose_images import Cut, ImageCutter
from input_pipeline.pillow_images import decoded_pixels
from input_pipeline.video_frames import MOST_FRAMES, is_video, read_frames
from owdfa_jax.inference.credentials import read_credentials

# An image to attribute: the path of an image or a video, the pixels uint8
# [H, W, 3] (RGB) or [H, W] (grey), or a Pillow image.
NewImage: TypeAlias = str | os.PathLike[str] | np.ndarray | Image.Image
# The most faces of an image, or of a frame, that get an answer each.
MOST_FACES = 64
# A thread is told of so many images at once: to tell it of each small image
# would take as long as to decode it.
_MOST_AT_A_TIME = 32


@dataclasses.dataclass(frozen=True)
class PreparedImage:
  """What the network sees of an image, of a further face in it, or of a video.

  Attributes:
    name: the path, or 'image N' for pixels, N counted from 0.
    pictures: at least one uint8 [S, S, 3]; empty if it cannot be read.
    side: its longer side before it was resized, in pixels; 0 if unreadable.
    error: why it cannot be read; '' if it can.
    credentials: see `Answer.credentials`.
    faces: see `Answer.faces`.
    box: the face that the pictures show; of a face in a video, the first of
      them. None if they show the whole image.
    face: the number of a further face of an image, from 1, or of a face in a
      video, from 0; None for the image or the video itself.
    frame: the number of the frame that it is of; of a face in a video, of its
      first one. None if it is of no video.
    of_frames: the frames of a video, or those with a face of it. Each has as
      many of the pictures, which are not repeated there. () of anything else.
  """

  name: str
  pictures: Sequence[np.ndarray] = ()
  side: int = 0
  error: str = ''
  credentials: str | None = None
  faces: int | None = None
  box: FaceBox | None = None
  face: int | None = None
  frame: int | None = None
  of_frames: 'tuple[PreparedImage, ...]' = ()


@dataclasses.dataclass(frozen=True)
class PictureBatch:
  """A batch and the images that it holds, each of them whole.

  Attributes:
    images: the images, also those that cannot be read.
    batch: `image` uint8 [B, S, S, 3]; `index` int32 [B], the position in
      `images`, -1 for padding; `mask` bool [B], False for padding.
  """

  images: Sequence[PreparedImage]
  batch: Batch


def picture_batches(
  images: Iterable[NewImage],
  cutter: ImageCutter,
  batch_size: int,
  num_threads: int,
  most_faces: int = 1,
) -> Iterator[PictureBatch]:
  """Yields the images in batches, in their order.

  The further faces of an image, or all that are followed through a video, come
  before it.

  The images of about two batches are in memory. Of a video, as many frames are
  seen as a batch has room for, at most `MOST_FRAMES`.

  Args:
    images: any number of images.
    cutter: cuts from them what the network sees.
    batch_size: B, at least the pictures of one image.
    num_threads: threads that read images.
    most_faces: how many faces of an image are seen, where faces are cut out.

  Raises:
    TypeError: something is no image at all.
  """
  each = batch_size // cutter.most_pictures
  prepared = _prepare(images, cutter, num_threads, each, most_faces)
  for found in _whole_images(prepared, batch_size, each):
    yield PictureBatch(found, _fill(found, batch_size, cutter.image_size))


def _whole_images(
  prepared: Iterable[PreparedImage], most_pictures: int, most_images: int
) -> Iterator[list[PreparedImage]]:
  """Yields as many images as go into each batch, in their order."""
  found: list[PreparedImage] = []
  pictures = 0
  for image in prepared:
    more = len(image.pictures)
    is_full = len(found) == most_images or pictures + more > most_pictures
    if found and is_full:
      yield found
      found, pictures = [], 0
    found.append(image)
    pictures += more
  if found:
    yield found


def _fill(images: Sequence[PreparedImage], batch_size: int, size: int) -> Batch:
  image = np.zeros((batch_size, size, size, 3), np.uint8)
  index = np.full(batch_size, -1, np.int32)
  pictures = [picture for x in images for picture in x.pictures]
  if pictures:
    np.stack(pictures, out=image[: len(pictures)])
  counts = [len(x.pictures) for x in images]
  index[: len(pictures)] = np.repeat(np.arange(len(images)), counts)
  return {'image': image, 'index': index, 'mask': index >= 0}


def _prepare(
  images: Iterable[NewImage],
  cutter: ImageCutter,
  num_threads: int,
  ahead: int,
  most_faces: int,
) -> Iterator[PreparedImage]:
  """Yields images in their order, read on threads.

  Args:
    images: the images.
    cutter: cuts them.
    num_threads: the number of threads, unless the cutter allows fewer.
    ahead: how many pictures are read before they are asked for. An image counts
      as `most_faces`, a video as that of each frame.
    most_faces: how many faces of an image are cut out.
  """
  threads = max(1, cutter.threads or num_threads)
  frames = min(ahead, MOST_FRAMES)
  waiting: collections.deque[tuple[int, Future[list[PreparedImage]]]]
  waiting = collections.deque()
  weight = 0

  def weigh(image: NewImage) -> int:
    return most_faces * (frames if _is_video(image) else 1)

  def prepare(some: Sequence[tuple[int, NewImage]]) -> list[PreparedImage]:
    return [
      prepared
      for number, image in some
      for prepared in _prepare_one(image, number, cutter, frames, most_faces)
    ]

  pool = ThreadPoolExecutor(threads)
  try:
    at_a_time = min(_MOST_AT_A_TIME, max(1, ahead // (2 * threads)))
    for each, some in _some_at_a_time(images, weigh, at_a_time):
      weight += each
      future = pool.submit(prepare, some)
      waiting.append((each, future))
      while weight > ahead and len(waiting) > 1:
        each, future = waiting.popleft()
        weight -= each
        yield from future.result()
    while waiting:
      yield from waiting.popleft()[1].result()
  finally:
    # Nobody wants the rest if the caller stops or an image is none. Python may
    # end this on a thread of the pool, which cannot wait for itself.
    pool.shutdown(wait=False, cancel_futures=True)


def _some_at_a_time(
  images: Iterable[NewImage], weigh: Callable[[NewImage], int], most: int
) -> Iterator[tuple[int, list[tuple[int, NewImage]]]]:
  """Yields a few images with their numbers, and before them their weight.

  Args:
    images: the images.
    weigh: returns the weight of one.
    most: the most that several of them may weigh.
  """
  some: list[tuple[int, NewImage]] = []
  weight = 0
  for number, image in enumerate(images):
    more = weigh(image)
    if some and weight + more > most:
      yield weight, some
      some, weight = [], 0
    some.append((number, image))
    weight += more
  if some:
    yield weight, some


def _is_video(image: NewImage) -> bool:
  return isinstance(image, str | os.PathLike) and is_video(os.fspath(image))


def _prepare_one(
  image: NewImage,
  number: int,
  cutter: ImageCutter,
  frames: int,
  most_faces: int,
) -> list[PreparedImage]:
  """Returns the further faces of an image, then the image."""
  is_path = isinstance(image, str | os.PathLike)
  path = os.fspath(image) if is_path else f'image {number}'
  name = _printable(path)
  try:
    if is_path and is_video(path):
      return _prepare_video(path, name, cutter, frames, most_faces)
    if is_path:
      data = read_file(path, cutter.max_pixels)
      cuts = cutter.of_bytes(data, name, most_faces)
      signed = read_credentials(path, data) or None
    else:
      cuts = cutter.of_pixels(_pixels(image, name), name, most_faces)
      signed = None
  except UserError as error:
    return [PreparedImage(name, error=_printable(str(error)))]
  return _prepared(name, cuts, credentials=signed)


def _printable(text: str) -> str:
  """Returns text with escapes for the bytes of a path that are not UTF-8."""
  if text.isascii():
    return text
  return text.encode('utf-8', 'backslashreplace').decode()


def _prepared(
  name: str, cuts: Sequence[Cut], **fields: Any
) -> list[PreparedImage]:
  """Returns an image's further faces, then the image, with their pictures."""
  found = [
    PreparedImage(
      name,
      cut.pictures,
      cut.side,
      faces=cut.num_faces,
      box=cut.box,
      face=number or None,
      **fields,
    )
    for number, cut in enumerate(cuts)
  ]
  return [*found[1:], found[0]]


def _prepare_video(
  path: str, name: str, cutter: ImageCutter, frames: int, most_faces: int
) -> list[PreparedImage]:
  """Returns the faces that are followed through a video, then the video."""
  seen: list[PreparedImage] = []
  faces: list[list[PreparedImage]] = []
  for number, pixels in read_frames(path, frames, cutter.max_pixels):
    cuts = cutter.of_pixels(pixels, name, most_faces)
    *others, first = _prepared(name, cuts, frame=number)
    seen.append(first)
    faces.append([] if first.box is None else [first, *others])
  counts = [x.faces for x in seen if x.faces is not None]
  most = max(counts, default=None)
  video = _of_frames(PreparedImage(name, side=seen[0].side, faces=most), seen)
  return [*(_followed(faces) if most_faces > 1 else ()), video]


def _followed(faces: Sequence[Sequence[PreparedImage]]) -> list[PreparedImage]:
  """Returns each face of a video, by its number, with its frames.

  Args:
    faces: of each frame.
  """
  tracks: dict[int, list[PreparedImage]] = {}
  numbers = follow_faces(
    [[x.box for x in frame if x.box is not None] for frame in faces],
    [[x.pictures[0] for x in frame] for frame in faces],
  )
  for frame, of_faces in zip(faces, numbers, strict=True):
    for face, number in zip(frame, of_faces, strict=True):
      tracks.setdefault(number, []).append(
        dataclasses.replace(face, face=number)
      )
  return [_of_frames(tracks[number][0], tracks[number]) for number in tracks]


def _of_frames(
  image: PreparedImage, frames: Sequence[PreparedImage]
) -> PreparedImage:
  """Returns a video, or a face in it, with the pictures of its frames."""
  return dataclasses.replace(
    image,
    pictures=[*itertools.chain.from_iterable(x.pictures for x in frames)],
    of_frames=tuple(dataclasses.replace(x, pictures=()) for x in frames),
  )


def _pixels(image: Any, name: str) -> np.ndarray:
  """Returns the pixels of an image that is no file, uint8 [H, W, 3]."""
  if isinstance(image, Image.Image):
    return decoded_pixels(image, name)
  if not isinstance(image, np.ndarray):
    raise TypeError(
      f'{name} is of the type {type(image).__name__}; give a path, an array or '
      'a Pillow image'
    )
  fits = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
  if image.dtype != np.uint8 or not fits or not image.size:
    raise UserError(
      f'not the pixels of an image: {name} is an array of {image.dtype} '
      f'{list(image.shape)}; give uint8 [H, W, 3], RGB, or uint8 [H, W], grey'
    )
  if image.ndim == 2:
    image = np.repeat(image[..., None], 3, axis=2)
  return np.ascontiguousarray(image)
