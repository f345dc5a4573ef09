"""Turns a stream of new images and videos into batches, on threads."""

import collections
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from input_pipeline.batches import Batch
from input_pipeline.errors import UserError
from input_pipeline.loose_images import ImageCutter
from input_pipeline.pillow_images import decoded_pixels
from input_pipeline.video_frames import MOST_FRAMES, is_video, read_frames
from owdfa_jax.inference.credentials import read_credentials

# An image to attribute: the path of an image or a video, the pixels uint8
# [H, W, 3] (RGB) or [H, W] (grey), or a Pillow image.
NewImage: TypeAlias = str | os.PathLike[str] | np.ndarray | Image.Image


@dataclasses.dataclass(frozen=True)
class PreparedImage:
  """What the network sees of an image.

  Attributes:
    name: the path, or 'image N' for pixels, N counted from 0.
    pictures: at least one uint8 [S, S, 3]; empty if it cannot be read.
    side: its longer side before it was resized, in pixels; 0 if unreadable.
    error: why it cannot be read; '' if it can.
    frames: the numbers of the frames of a video, each of which has as many of
      the pictures; () for an image.
    credentials: see `Answer.credentials`.
  """

  name: str
  pictures: Sequence[np.ndarray]
  side: int
  error: str
  frames: tuple[int, ...] = ()
  credentials: str | None = None


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
) -> Iterator[PictureBatch]:
  """Yields the images in batches, in their order.

  The images of about two batches are in memory. Of a video, as many frames are
  seen as a batch has room for, at most `MOST_FRAMES`.

  Args:
    images: any number of images.
    cutter: cuts from them what the network sees.
    batch_size: B, at least the pictures of one image.
    num_threads: threads that read images.

  Raises:
    TypeError: something is no image at all.
  """
  each = batch_size // cutter.most_pictures
  prepared = _prepare(images, cutter, num_threads, ahead=each)
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
  row = 0
  for number, prepared in enumerate(images):
    for picture in prepared.pictures:
      image[row], index[row] = picture, number
      row += 1
  return {'image': image, 'index': index, 'mask': index >= 0}


def _prepare(
  images: Iterable[NewImage],
  cutter: ImageCutter,
  num_threads: int,
  ahead: int,
) -> Iterator[PreparedImage]:
  """Yields images in their order, read on threads.

  Args:
    images: the images.
    cutter: cuts them.
    num_threads: the number of threads, unless the cutter allows fewer.
    ahead: how many images are read before they are asked for; a video counts
      as its frames.
  """
  threads = max(1, cutter.threads or num_threads)
  frames = min(ahead, MOST_FRAMES)
  waiting: collections.deque[tuple[int, Future[PreparedImage]]]
  waiting = collections.deque()
  weight = 0
  with ThreadPoolExecutor(threads) as pool:
    try:
      for number, image in enumerate(images):
        each = frames if _is_video(image) else 1
        weight += each
        future = pool.submit(_prepare_one, image, number, cutter, frames)
        waiting.append((each, future))
        while weight > ahead and len(waiting) > 1:
          each, future = waiting.popleft()
          weight -= each
          yield future.result()
      while waiting:
        yield waiting.popleft()[1].result()
    finally:
      # Nobody wants the rest if the caller stops or an image is none.
      for _, future in waiting:
        future.cancel()


def _is_video(image: NewImage) -> bool:
  return isinstance(image, str | os.PathLike) and is_video(os.fspath(image))


def _prepare_one(
  image: NewImage, number: int, cutter: ImageCutter, frames: int
) -> PreparedImage:
  is_path = isinstance(image, str | os.PathLike)
  name = os.fspath(image) if is_path else f'image {number}'
  try:
    if is_path and is_video(name):
      return _prepare_video(name, cutter, frames)
    if is_path:
      pictures, side = cutter.of_file(name)
      signed = read_credentials(name) or None
      return PreparedImage(name, pictures, side, '', credentials=signed)
    pictures, side = cutter.of_pixels(_pixels(image, name), name)
  except UserError as error:
    return PreparedImage(name, (), 0, str(error))
  return PreparedImage(name, pictures, side, '')


def _prepare_video(
  path: str, cutter: ImageCutter, frames: int
) -> PreparedImage:
  numbers, found = zip(
    *read_frames(path, frames, cutter.max_pixels), strict=True
  )
  cut = [cutter.of_pixels(frame, path) for frame in found]
  pictures = [picture for each, _ in cut for picture in each]
  return PreparedImage(path, pictures, cut[0][1], '', numbers)


def _pixels(image: Any, name: str) -> np.ndarray:
  """Returns the pixels of an image that is no file, uint8 [H, W, 3]."""
  if isinstance(image, Image.Image):
    return decoded_pixels(image, name)
  if not isinstance(image, np.ndarray):
    raise TypeError(
      f'{name} is a {type(image).__name__}, not a path, an array or a Pillow '
      'image'
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
