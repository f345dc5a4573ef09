"""Keeps finished rows in a file; a second call goes on with the rest."""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import LIST_LIMIT, read_text, write_whole
from owdfa_jax import __version__
from owdfa_jax.scale.hlo import COLLECTIVES
from owdfa_jax.scale.program import Cost

# The packages whose versions decide what a program costs.
_COMPILERS = ('jax', 'jaxlib', 'libtpu', 'jax-cuda12-plugin')
_FIELDS = {'of', 'cost'}
_COST_FIELDS = {field.name for field in dataclasses.fields(Cost)}
# No program of any size has a larger number.
_LARGEST = 1e30


class KeptRows:
  """The finished rows of a file; without a file, nothing is kept.

  A row is what a program costs, and what the program is: its settings, and the
  versions of the compilers. Rows of other versions stay in the file.
  """

  def __init__(self, path: str):
    """Reads the rows that are there.

    Args:
      path: of the file, which need not exist; '' keeps no rows.

    Raises:
      UserError: the file holds something else.
    """
    self._path = path
    self._versions = _versions()
    self._rows = _read(path, self._versions) if path else []

  def begin(self) -> None:
    """Writes the file without a new row.

    Called before the first compilation, which may take an hour.

    Raises:
      UserError: the file cannot be written.
    """
    self._add()

  def find(self, of: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the row of a program, whose 'cost' is there; None without one.

    Args:
      of: what the program is, in values that JSON has.
    """
    key = {**of, 'versions': self._versions}
    return next((x for x in self._rows if x['of'] == key), None)

  def keep(
    self, of: Mapping[str, Any], cost: Mapping[str, Any] | None
  ) -> dict[str, Any]:
    """Adds a row and writes the file.

    Args:
      of: what the program is, as in `find`.
      cost: numbers by name; None for a program that does not fit.

    Returns:
      The row.

    Raises:
      UserError: the file cannot be written.
    """
    row = {'of': {**of, 'versions': self._versions}, 'cost': cost}
    self._add(row)
    return row

  def _add(self, *added: dict[str, Any]) -> None:
    """Writes the file with rows, and with those that are in it by now."""
    if not self._path:
      return
    with _locked(os.path.dirname(self._path) or '.'):
      # Another process may have added rows since.
      self._rows = [*_read(self._path, self._versions), *added]
      with write_whole(self._path, text=True, what='the costs') as file:
        json.dump({'rows': self._rows}, file, indent=1)
        file.write('\n')


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
  """Waits for other processes that add rows in a folder.

  Where it cannot be locked, as in a bucket, one of two rows that are done at
  the same moment may be lost.
  """
  with contextlib.ExitStack() as stack:
    with contextlib.suppress(OSError):
      descriptor = os.open(folder, os.O_RDONLY)
      stack.callback(os.close, descriptor)
      fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield


def _read(path: str, versions: Mapping[str, str]) -> list[dict[str, Any]]:
  """Returns the rows of a file; none if there is no file."""
  if not os.path.exists(path):
    return []
  reason = 'other fields'
  try:
    content = strict_json.loads(read_text(path, LIST_LIMIT))
    if _has_rows(content, versions):
      return content['rows']
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or str(error)
  raise UserError(
    f'not a file of costs: --out={path} ({reason}); give another path'
  )


def _has_rows(content: Any, versions: Mapping[str, str]) -> bool:
  """Returns whether a file's content is what `KeptRows` writes.

  Rows of other versions may have costs with other fields.
  """
  return (
    isinstance(content, dict)
    and content.keys() == {'rows'}
    and isinstance(content['rows'], list)
    and all(
      isinstance(row, dict)
      and row.keys() == _FIELDS
      and isinstance(row['of'], dict)
      and (row['of'].get('versions') != versions or _is_cost(**row))
      for row in content['rows']
    )
  )


def _is_cost(of: Mapping[str, Any], cost: Any) -> bool:
  """Returns whether a program of these versions has such a cost."""
  if cost is None:
    return True
  fields = _COST_FIELDS | ({'seconds'} if of.get('run') else set())
  if not isinstance(cost, dict) or cost.keys() != fields:
    return False
  sent = cost['sent']
  if not isinstance(sent, dict) or sent.keys() != set(COLLECTIVES):
    return False
  numbers = [*sent.values(), *(v for k, v in cost.items() if k != 'sent')]
  return all(
    isinstance(number, (int, float))
    and not isinstance(number, bool)
    and 0 <= number <= _LARGEST
    for number in numbers
  )


def _versions() -> dict[str, str]:
  """Returns the versions of what compiles, as far as it is installed."""
  found = {'owdfa-jax': __version__}
  for name in _COMPILERS:
    try:
      found[name] = version(name)
    except PackageNotFoundError:
      continue
  return found
