"""Batches of image files that nobody packed: new images to attribute."""

from collections.abc import Sequence

import grain
import numpy as np

from input_pipeline import faces, images
from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.pipeline import Batch, iterate


def file_batches(
  paths: Sequence[str],
  unreadable: dict[int, str],
  *,
  image_size: int,
  batch_size: int,
  crop: faces.Crop | None = None,
  num_threads: int = 2,
) -> grain.DatasetIterator[Batch]:
  """Returns batches that hold every file once, made as packing makes them.

  Each has `image` uint8 [b, S, S, 3], `index` int32 [b], the place in `paths`,
  and `mask` bool [b], False on padding and on files that cannot be read.

  Args:
    paths: of the image files.
    unreadable: gets the place of each such file and what is wrong with it;
      complete when the batches are through.
    image_size: S, pixels.
    batch_size: b.
    crop: how the faces of the training images were cut out; None: they are
      whole images.
    num_threads: batches decoded at a time; one where faces are looked for,
      since detectors are not made for more.
  """

  # Once: what it lacks is no fault of an image.
  find = None if crop is None else faces.detector(crop)

  def load(path: str) -> np.ndarray:
    image = images.load(path)
    if crop is not None and find is not None:
      face = find(image)
      image = image if face is None else faces.cut(image, face, crop.margin)
    return images.resize(image, image_size)

  def make(step: int) -> Batch:
    places = range(step * batch_size, min((step + 1) * batch_size, len(paths)))
    image = np.zeros((batch_size, image_size, image_size, 3), np.uint8)
    index = np.full(batch_size, -1, np.int32)
    for row, place in enumerate(places):
      try:
        image[row] = load(paths[place])
        index[row] = place
      except UserError as error:
        unreadable[place] = str(error)
    return {'image': image, 'index': index, 'mask': index >= 0}

  threads = num_threads if crop is None else 1
  return iterate(make, 0, -(-len(paths) // batch_size), threads, 0)


def crop_of(dataset: PackedDataset) -> faces.Crop | None:
  """How the faces of a packed dataset were cut out; None for whole images."""
  arguments = dataset.description['made']['arguments']
  if arguments.get('crop', 'none') == 'none':
    return None
  return faces.Crop(arguments['crop'], arguments['margin'], arguments['align'])
