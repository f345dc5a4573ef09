"""Batches of image files that are not packed: new images to attribute."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import grain
import numpy as np

from input_pipeline import faces, images
from input_pipeline.batches import Batch, iterate_batches
from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.image_headers import MAX_PIXELS
from input_pipeline.pack_options import Options


def file_batches(
  paths: Sequence[str],
  unreadable: dict[int, str],
  sides: dict[int, int],
  *,
  image_size: int,
  batch_size: int,
  crop: faces.Crop | None = None,
  max_pixels: int = MAX_PIXELS,
  num_threads: int = 2,
) -> grain.DatasetIterator[Batch]:
  """Returns an iterator of batches that hold every file once.

  Images are cut out and resized as in packing. Each batch has `image` uint8
  [b, S, S, 3]; `index` int32 [b], the position in `paths`; `mask` bool [b],
  False on padding and on files that cannot be read, whose index is -1.

  Args:
    paths: the paths of the image files.
    unreadable: is filled with the position of each unreadable file and the
      reason; complete when the iterator ends.
    sides: is filled with the longer side of each other image, or of the face
      that is cut out of it, before it is resized, in pixels.
    image_size: S, pixels.
    batch_size: b.
    crop: how the faces of the training images were cut out; None if they are
      whole images.
    max_pixels: the most pixels of an image; a larger one is unreadable.
    num_threads: batches decoded at the same time. With `crop` it is 1, since a
      detector serves one thread only.
  """
  # Made before the loop: a missing library is not an unreadable image.
  find = None if crop is None else faces.detector(crop)

  def load(path: str) -> np.ndarray:
    image = images.load_image(path, max_pixels)
    if crop is not None and find is not None:
      face = find(image)
      image = (
        image if face is None else faces.cut_face(image, face, crop.margin)
      )
    return image

  def make_batch(step: int) -> Batch:
    positions = range(
      step * batch_size, min((step + 1) * batch_size, len(paths))
    )
    image = np.zeros((batch_size, image_size, image_size, 3), np.uint8)
    index = np.full(batch_size, -1, np.int32)
    for row, position in enumerate(positions):
      try:
        loaded = load(paths[position])
        image[row] = images.resize_image(loaded, image_size)
        index[row] = position
        sides[position] = max(loaded.shape[:2])
      except UserError as error:
        unreadable[position] = str(error)
    return {'image': image, 'index': index, 'mask': index >= 0}

  # OpenCV's and dlib's detectors keep state while they search.
  threads = num_threads if crop is None else 1
  steps = -(-len(paths) // batch_size)
  return iterate_batches(make_batch, 0, steps, threads, num_workers=0)


def crop_of(dataset: PackedDataset) -> faces.Crop | None:
  """Returns how a dataset's faces were cut out; None for whole images."""
  arguments = _arguments(dataset)
  if arguments['crop'] == 'none':
    return None
  return faces.Crop(arguments['crop'], arguments['margin'], arguments['align'])


def max_pixels_of(dataset: PackedDataset) -> int:
  """Returns the most pixels that an image could have when it was packed."""
  return _arguments(dataset)['max_pixels']


def _arguments(dataset: PackedDataset) -> dict[str, Any]:
  # Directories packed before an option existed lack it.
  made = dataset.description['made'].get('arguments', {})
  return dataclasses.asdict(Options()) | made
