"""Batches of image files that are not packed: new images to attribute."""

import dataclasses
import hashlib
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
from input_pipeline.tiles import Tiling, cut_tiles


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
  tiling: Tiling | None = None,
) -> grain.DatasetIterator[Batch]:
  """Returns an iterator of batches that hold every file once.

  Images are cut out and resized, or cut into tiles, as in packing. Each batch
  has `image` uint8 [b, S, S, 3]; `index` int32 [b], the position in `paths`,
  which all tiles of a file have; `mask` bool [b], False on padding and on files
  that cannot be read, whose index is -1.

  Args:
    paths: the paths of the image files.
    unreadable: is filled with the position of each unreadable file and the
      reason; complete when the iterator ends.
    sides: is filled with the longer side of each other image, or of the face
      that is cut out of it, before it is resized, in pixels.
    image_size: S, pixels.
    batch_size: b, at least the number of tiles of an image.
    crop: how the faces of the training images were cut out; None if they are
      whole images.
    max_pixels: the most pixels of an image; a larger one is unreadable.
    num_threads: batches decoded at the same time. With `crop` it is 1, since a
      detector serves one thread only.
    tiling: how tiles were cut from the training images; None if they were
      packed whole.
  """
  # Made before the loop: a missing library is not an unreadable image.
  find = None if crop is None else faces.detector(crop)

  def load(path: str) -> tuple[list[np.ndarray], int]:
    """Returns the pictures of a file, [S, S, 3] each, and its longer side."""
    data = images.read_file(path, max_pixels)
    image = images.decode_file(data, path, max_pixels)
    if tiling is not None:
      sha256 = hashlib.sha256(data).hexdigest()
      tiles = cut_tiles(image, image_size, tiling, sha256, path)
      return tiles, max(image.shape[:2])
    if crop is not None and find is not None:
      face = find(image)
      image = (
        image if face is None else faces.cut_face(image, face, crop.margin)
      )
    return [images.resize_image(image, image_size)], max(image.shape[:2])

  # Whole files go into a batch, so that its shape is always the same.
  most_tiles = 1 if tiling is None else tiling.count
  files_per_batch = batch_size // most_tiles

  def make_batch(step: int) -> Batch:
    start = int(step) * files_per_batch
    positions = range(start, min(start + files_per_batch, len(paths)))
    image = np.zeros((batch_size, image_size, image_size, 3), np.uint8)
    index = np.full(batch_size, -1, np.int32)
    row = 0
    for position in positions:
      try:
        pictures, sides[position] = load(paths[position])
      except UserError as error:
        unreadable[position] = str(error)
        continue
      for picture in pictures:
        image[row], index[row] = picture, position
        row += 1
    return {'image': image, 'index': index, 'mask': index >= 0}

  # OpenCV's and dlib's detectors keep state while they search.
  threads = num_threads if crop is None else 1
  steps = -(-len(paths) // files_per_batch)
  return iterate_batches(make_batch, 0, steps, threads, num_workers=0)


def crop_of(dataset: PackedDataset) -> faces.Crop | None:
  """Returns how a dataset's faces were cut out; None for whole images."""
  arguments = _arguments(dataset)
  if arguments['crop'] == 'none':
    return None
  return faces.Crop(arguments['crop'], arguments['margin'], arguments['align'])


def tiling_of(dataset: PackedDataset) -> Tiling | None:
  """Returns how a dataset's tiles were cut; None for whole images."""
  made = _arguments(dataset)
  if not made['tiles']:
    return None
  return Tiling(made['tiles'], made['tile_grid'], made['seed'])


def max_pixels_of(dataset: PackedDataset) -> int:
  """Returns the most pixels that an image could have when it was packed."""
  return _arguments(dataset)['max_pixels']


def _arguments(dataset: PackedDataset) -> dict[str, Any]:
  # Directories packed before an option existed lack it.
  made = dataset.description['made'].get('arguments', {})
  return dataclasses.asdict(Options()) | made
