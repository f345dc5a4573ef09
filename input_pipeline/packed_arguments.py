"""How the images of a packed dataset were cut, as its description says."""

import dataclasses
from typing import Any

from input_pipeline import faces
from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.pack_options import Options
from input_pipeline.tiles import Tiling


def crop_of(dataset: PackedDataset) -> faces.Crop | None:
  """Returns how a dataset's faces were cut out; None for whole images."""
  arguments = _arguments(dataset)
  if arguments['crop'] == 'none':
    return None
  return faces.Crop(arguments['crop'], arguments['margin'], arguments['align'])


def check_cuts_faces(dataset: PackedDataset, setting: str) -> None:
  """Raises `UserError` unless a dataset's faces were cut out.

  Args:
    dataset: the dataset.
    setting: what asks for faces, as the user writes it.
  """
  if crop_of(dataset) is None:
    raise UserError(
      f'no faces are searched for: {setting}: the training images of the run '
      'were packed whole or in tiles; leave it out'
    )


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
