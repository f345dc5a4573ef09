"""Batches of the images in a folder, cut out as the training images were."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from input_pipeline.batches import Batch
from input_pipeline.image_folders import FolderScan
from input_pipeline.loose_images import file_batches
from input_pipeline.packed_arguments import (
  crop_of,
  max_pixels_of,
  tiling_of,
)
from owdfa_jax import parallel
from owdfa_jax.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class FolderBatches:
  """The images of a folder, to be predicted.

  Attributes:
    batches: what `Predictor.predict` takes; an index is a position in the scan.
    group: int [N], the group of each index; None if images are not cut into
      tiles.
    unreadable: the error of each image that cannot be read, by its index.
      Reading the batches fills it.
    sides: the longer side of each other image, in pixels; filled likewise.
  """

  batches: Iterator[Batch]
  group: np.ndarray | None
  unreadable: dict[int, str]
  sides: dict[int, int]


def folder_batches(
  experiment: Experiment, scan: FolderScan, max_pixels: int | None = None
) -> FolderBatches:
  """Returns the images of a folder, with faces or tiles cut out.

  Args:
    experiment: the run, whose training images show how.
    scan: the images.
    max_pixels: the most pixels of an image; None: as in packing.
  """
  config, dataset = experiment.config, experiment.dataset
  unreadable: dict[int, str] = {}
  sides: dict[int, int] = {}
  tiling = tiling_of(dataset)
  batch_size = max(config.eval.batch_size, tiling.count if tiling else 1)
  batches = file_batches(
    scan.images,
    unreadable,
    sides,
    image_size=dataset.image_size,
    batch_size=parallel.round_up(batch_size, experiment.placement),
    crop=crop_of(dataset),
    max_pixels=max_pixels or max_pixels_of(dataset),
    num_threads=config.data.num_threads,
    tiling=tiling,
  )
  group = np.arange(len(scan.images)) if tiling else None
  return FolderBatches(batches, group, unreadable, sides)
