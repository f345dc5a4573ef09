"""Reads the rows and the seeds of a leaderboard's config."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from input_pipeline import escape
from input_pipeline.errors import UsageError
from input_pipeline.number_ranges import LARGEST_SEED


@dataclasses.dataclass(frozen=True)
class Row:
  """One row of the table.

  Attributes:
    name: the row's name in the table.
    config: a file of `configs/` without '.py', or `staged:METHOD` for training
      in stages.
    overrides: settings of this row only, each as 'field=value'.
  """

  name: str
  config: str
  overrides: tuple[str, ...] = ()

  @property
  def slug(self) -> str:
    """The name as part of a folder's name, see `slug`."""
    return slug(self.name)


def slug(name: str) -> str:
  """Returns a name in small letters, digits and hyphens.

  'CAL (classes unknown)' becomes 'cal-classes-unknown'.
  """
  return re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')


def read_seeds(seeds: Sequence[Any]) -> tuple[int, ...]:
  """Returns the seeds of a leaderboard.

  Raises:
    UserError: there is none, one is not a whole number, or two are equal.
  """
  if (
    not seeds
    or any(
      type(seed) is not int or not 0 <= seed <= LARGEST_SEED for seed in seeds
    )
    or len(set(seeds)) < len(seeds)
  ):
    raise UsageError(
      f'invalid seeds: --config.seeds={tuple(seeds)}; give at least one whole '
      f'number from 0 to {LARGEST_SEED}, no two alike, such as 0,1,2'
    )
  return tuple(seeds)


def read_rows(entries: Sequence[Any]) -> list[Row]:
  """Returns the rows of a leaderboard.

  Args:
    entries: dicts with `name`, `config` and optionally `overrides`.

  Raises:
    UserError: there is none, one is not such a dict, a name cannot stand in
      the table, or two rows would share a folder.
  """
  rows: list[Row] = []
  for entry in entries:
    row = _read_row(entry)
    # A comma separates names in `only_rows`, a bar ends a table's cell.
    if not row.slug or set(row.name) & set(',|') or not row.name.isprintable():
      raise UsageError(
        f'invalid name: --config.rows has {escape.quoted(row.name)}; use at '
        'least one letter or digit, and no comma, bar or control character'
      )
    if row.slug in {other.slug for other in rows}:
      raise UsageError(
        f'two rows would share the folder {row.slug}: --config.rows has '
        f'{row.name!r}; rename one of them'
      )
    rows.append(row)
  if not rows:
    raise UsageError('no rows: --config.rows is empty; give at least one')
  return rows


def _read_row(entry: Any) -> Row:
  try:
    row = Row(**entry)
  except TypeError:
    row = None
  if row is None or not (
    isinstance(row.name, str)
    and isinstance(row.config, str)
    and isinstance(row.overrides, (tuple, list))
    and all(isinstance(setting, str) for setting in row.overrides)
  ):
    raise UsageError(
      f'not a row: --config.rows has {entry}; a row is '
      "{'name': 'CPL', 'config': 'cpl', 'overrides': ('field=value',)}"
    )
  return row
