"""Turns a stream of new images into batches of one shape, on threads."""

import collections
import dataclasses
import itertools
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

# An image to attribute: a path, the pixels uint8 [H, W, 3] (RGB) or [H, W]
# (grey), or a Pillow image.
NewImage: TypeAlias = str | os.PathLike[str] | np.ndarray | Image.Image


@dataclasses.dataclass(frozen=True)
class PreparedImage:
  """What the network sees of an image.

  Attributes:
    name: the path, or 'image N' for pixels, N counted from 0.
    pictures: at least one uint8 [S, S, 3]; empty if it cannot be read.
    side: its longer side before it was resized, in pixels; 0 if unreadable.
    error: why it cannot be read; '' if it can.
  """

  name: str
  pictures: Sequence[np.ndarray]
  side: int
  error: str


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

  The images of about two batches are in memory.

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
  while found := list(itertools.islice(prepared, each)):
    yield PictureBatch(found, _fill(found, batch_size, cutter.image_size))


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
    ahead: how many images are read before they are asked for.
  """
  threads = max(1, cutter.threads or num_threads)
  waiting: collections.deque[Future[PreparedImage]] = collections.deque()
  with ThreadPoolExecutor(threads) as pool:
    try:
      for number, image in enumerate(images):
        waiting.append(pool.submit(_prepare_one, image, number, cutter))
        if len(waiting) > ahead:
          yield waiting.popleft().result()
      while waiting:
        yield waiting.popleft().result()
    finally:
      # Nobody wants the rest if the caller stops or an image is none.
      for future in waiting:
        future.cancel()


def _prepare_one(
  image: NewImage, number: int, cutter: ImageCutter
) -> PreparedImage:
  is_path = isinstance(image, str | os.PathLike)
  name = os.fspath(image) if is_path else f'image {number}'
  try:
    if is_path:
      pictures, side = cutter.of_file(name)
    else:
      pictures, side = cutter.of_pixels(_pixels(image, name), name)
  except UserError as error:
    return PreparedImage(name, (), 0, str(error))
  return PreparedImage(name, pictures, side, '')


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
