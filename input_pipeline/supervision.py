"""What training may know: given labels, validation rows, and what is checked.

Nothing here decodes an image or loads grain or tensorflow-datasets, so that
settings are checked before anything slow starts.
"""

import numpy as np

from input_pipeline import sampling
from input_pipeline.dataset import PackedDataset, Split
from input_pipeline.errors import UsageError, UserError, check_choice
from input_pipeline.meta import LABELLED, UNLABELLED
from input_pipeline.number_ranges import LARGEST_SEED, NumberRange, whole

# 'open_world': half of each batch is labelled, the other half is not.
# 'labelled': the labelled half alone, a lower bound.
# 'all': every image with its label, an upper bound.
SUPERVISION = ('open_world', 'labelled', 'all')


def given_label(
  split: Split, supervision: str, pseudo_label: np.ndarray | None
) -> np.ndarray:
  """Returns the class that each row is trained as.

  This is the only place that gives out labels: no loss learns the class of an
  unlabelled row in any other way.

  Args:
    split: the training split, N rows.
    supervision: one of `SUPERVISION`.
    pseudo_label: int32 [N], classes that a network predicted for unlabelled
      rows, -1 for none; or None.

  Returns:
    int32 [N], -1 where a row has no class.
  """
  revealed = (split.tag == LABELLED) | (supervision == 'all')
  rest = -1 if pseudo_label is None else pseudo_label
  return np.where(revealed, split.label, rest).astype(np.int32)


def validation_rows(
  dataset: PackedDataset, seed: int, share: float
) -> np.ndarray:
  """Returns the training rows held out for validation.

  Args:
    dataset: an open packed dataset.
    seed: the seed of the draw, from 0 to 2**32 - 1.
    share: the share of each known class's labelled rows, or groups of rows, in
      [0, 1); see `sampling.draw_validation_rows`.

  Returns:
    int32 [V], labelled rows of the training split, sorted.

  Raises:
    UserError: `seed` or `share` is out of range.
  """
  share_range = NumberRange(0, 1, below=True)
  share_range.check('--config.data.validation_share', share)
  whole(0, LARGEST_SEED).check('--config.seed', seed)
  return sampling.draw_validation_rows(
    dataset.train.label, dataset.train.tag, share, seed, dataset.train.row_group
  )


def rows_of_their_groups(split: Split, rows: np.ndarray) -> np.ndarray:
  """Returns the rows of the groups that some rows belong to.

  A video may have labelled and unlabelled frames. None of them are trained on
  if some are held out.

  Args:
    split: a split.
    rows: int [n], rows of it.

  Returns:
    int32 [m], sorted.
  """
  group = split.group
  return np.flatnonzero(np.isin(group, group[rows])).astype(np.int32)


def steps_per_epoch(dataset: PackedDataset, batch_size: int) -> int:
  """Returns floor(training rows / batch_size).

  Args:
    dataset: an open packed dataset.
    batch_size: rows of a global batch.

  Raises:
    UserError: the training split is smaller than one batch.
  """
  rows = len(dataset.train)
  steps = rows // batch_size
  if not steps:
    raise UserError(
      f'dataset smaller than one batch: {dataset.path} has {rows} training '
      f'rows, --config.batch_size={batch_size}; give --config.batch_size=N, '
      f'N even and at most {rows - rows % 2}'
    )
  return steps


def check_every_label(dataset: PackedDataset) -> None:
  """Raises `UserError` if a training image has no true class."""
  missing = int((dataset.train.label == -1).sum())
  if missing:
    raise UserError(
      f'--config.data.supervision=all needs every label: {dataset.path} has '
      f'{missing} training images of unknown class; choose another supervision'
    )


def check_training_data(
  dataset: PackedDataset,
  batch_size: int,
  supervision: str,
  held_out: np.ndarray,
) -> None:
  """Checks that a dataset has what training with these settings reads.

  Args:
    dataset: an open packed dataset.
    batch_size: rows of a global batch.
    supervision: one of `SUPERVISION`.
    held_out: int [V], labelled rows of the training split that are not trained
      on.

  Raises:
    UserError: the settings do not fit each other or the dataset.
  """
  split = dataset.train
  check_choice('--config.data.supervision', supervision, SUPERVISION)
  if batch_size < 1 or (batch_size % 2 and supervision != 'all'):
    raise UsageError(
      f'bad batch size: --config.batch_size={batch_size}; it must be positive '
      'and even, since half of a batch is labelled'
    )
  steps_per_epoch(dataset, batch_size)
  if supervision == 'open_world' and not (split.tag == UNLABELLED).any():
    raise UserError(
      f'no unlabelled images: {dataset.path} has none to train on; label fewer '
      'images, or give --config.data.supervision=labelled'
    )
  if supervision == 'all':
    check_every_label(dataset)
  # Class-balanced sampling draws from every known class in turn.
  usable = split.tag == LABELLED
  usable[held_out] = False
  for entry in dataset.classes[: dataset.num_known]:
    if not (usable & (split.label == entry.label)).any():
      raise UserError(
        f'empty class: {dataset.path}: class {entry.name!r} has no labelled '
        'training image; label some, or make it a novel class'
      )
