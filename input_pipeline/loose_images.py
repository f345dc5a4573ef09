"""Batches of image files that nobody packed: new images to attribute."""

from collections.abc import Sequence

import grain
import numpy as np

from input_pipeline import images
from input_pipeline.pipeline import Batch, iterate


def file_batches(
  paths: Sequence[str],
  *,
  image_size: int,
  batch_size: int,
  num_threads: int = 2,
) -> grain.DatasetIterator[Batch]:
  """Returns batches that hold every file once, resized as packing does.

  Each has `image` uint8 [b, S, S, 3], `index` int32 [b], the place in `paths`,
  and `mask` bool [b], False on padding, whose index is -1.

  Args:
    paths: of the image files.
    image_size: S, pixels.
    batch_size: b.
    num_threads: batches decoded at a time.

  Raises:
    UserError: while reading, a file is unreadable.
  """

  def make(step: int) -> Batch:
    place = np.arange(step * batch_size, (step + 1) * batch_size)
    mask = place < len(paths)
    there = np.minimum(place, len(paths) - 1)
    # Padding repeats the last image: decode it once.
    decoded = {
      i: images.resize(images.load(paths[i]), image_size)
      for i in dict.fromkeys(there.tolist())
    }
    return {
      'image': np.stack([decoded[i] for i in there.tolist()]),
      'index': np.where(mask, place, -1).astype(np.int32),
      'mask': mask,
    }

  return iterate(make, 0, -(-len(paths) // batch_size), num_threads, 0)
