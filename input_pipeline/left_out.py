"""Leaves classes out of a packed dataset, to be sources that nobody has seen.

The rows of these classes take no part in training. Their test rows are kept
apart, to measure whether a network notices that it does not know them.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from input_pipeline.dataset import PackedDataset, Split
from input_pipeline.errors import UserError
from input_pipeline.escape import quoted

_SETTING = '--config.data.leave_out'


def leave_out(dataset: PackedDataset, names: Sequence[str]) -> PackedDataset:
  """Returns a dataset without some classes; `unseen` holds their test rows.

  The other classes are numbered anew, in the same order.

  Args:
    dataset: an open packed dataset.
    names: the names of the classes to leave out.

  Raises:
    UserError: there is no such class, or no known class is left.
  """
  by_name = {entry.name: entry.label for entry in dataset.classes}
  for name in names:
    if name not in by_name:
      raise UserError(
        f'no such class: {_SETTING}: {dataset.path} has no class '
        f'{quoted(name, 60)}; give names of {", ".join(by_name)}'
      )
  left_out = sorted({by_name[name] for name in names})
  kept = [e for e in dataset.classes if e.label not in left_out]
  if not any(entry.known for entry in kept):
    raise UserError(
      f'no known class is left: {_SETTING}={",".join(names)}; leave fewer '
      'classes out'
    )
  # The last entry is that of rows of unknown class, label -1.
  number = np.full(len(dataset.classes) + 1, -1, np.int32)
  number[[entry.label for entry in kept]] = np.arange(len(kept))
  splits = {}
  for name in ('train', 'test'):
    split = getattr(dataset, name)
    rows = np.flatnonzero(~np.isin(split.label, left_out))
    part = split.select(rows)
    splits[name] = dataclasses.replace(part, label=number[part.label])
  return dataclasses.replace(
    dataset,
    classes=tuple(
      dataclasses.replace(entry, label=label)
      for label, entry in enumerate(kept)
    ),
    num_known=sum(entry.known for entry in kept),
    unseen=_unseen(dataset, left_out),
    **splits,
  )


def class_names(setting: str) -> tuple[str, ...]:
  """Returns the names that the setting `data.leave_out` lists, with commas."""
  return tuple(name.strip() for name in setting.split(',') if name.strip())


def _unseen(dataset: PackedDataset, left_out: list[int]) -> Split:
  """Returns the test rows of the classes that are left out, without a label."""
  rows = np.flatnonzero(np.isin(dataset.test.label, left_out))
  part = dataset.test.select(rows)
  return dataclasses.replace(part, label=np.full(len(rows), -1, np.int32))
