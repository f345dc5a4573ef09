"""Tables of answers as files: CSV, JSON Lines or Parquet; without JAX."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from input_pipeline.errors import UsageError, UserError, did_you_mean
from input_pipeline.escape import shortened, spreadsheet
from input_pipeline.files import local_path, write_whole
from input_pipeline.number_ranges import whole

# Columns that come from files and folders; a spreadsheet might run them.
_TEXTS = ('image', 'source', 'second_choice', 'nearest', 'credentials')
_SUFFIXES = ('.csv', '.jsonl', '.parquet')
# Columns of whole numbers, of lists with what is in them, and of other numbers;
# all others are texts.
_WHOLE = ('output', 'frames', 'frame', 'faces', 'face')
_LISTS = {'nearest': str, 'box': int}
# Between the values of a list in a CSV file.
_BETWEEN = ' | '
_NUMBERS = (
  'confidence',
  'second_confidence',
  'unseen_score',
  'unseen_threshold',
  'fake_probability',
  'stability',
)
_ROWS_AT_A_TIME = 10_000
# How many of the nearest training images an answer names.
NUM_NEAREST = 3
NEAREST_RANGE = whole(0, 1000)


def pandas_type(column: str) -> str:
  """Returns the type of a column for pandas, whose missing value is `NA`.

  Args:
    column: its name.
  """
  if column in _LISTS:
    return 'object'
  if column in _WHOLE:
    return 'Int64'
  return 'Float64' if column in _NUMBERS else 'string'


def check_out(path: str) -> None:
  """Raises `UserError` unless a table can be written to a new file.

  Args:
    path: the value of --out.
  """
  name = local_path(path, '--out')
  suffix = os.path.splitext(name)[1]
  if suffix not in _SUFFIXES:
    raise UsageError(
      f'unknown kind of table: --out={shortened(path)}; end its name with one '
      f'of {", ".join(_SUFFIXES)}{did_you_mean(suffix, _SUFFIXES)}'
    )
  if os.path.lexists(name):
    raise UserError(
      f'the file exists: --out={shortened(path)}; remove it or give another '
      'name'
    )
  folder = os.path.dirname(name) or '.'
  if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK):
    raise UserError(
      f'cannot write the attributions: --out={shortened(path)}: {folder} '
      'cannot be written; give another folder'
    )


def write_table(
  path: str | os.PathLike[str],
  columns: Sequence[str],
  rows: Iterable[Mapping[str, Any]],
) -> None:
  """Writes a table, complete or not at all; its suffix says which kind.

  Args:
    path: of the file; one that is there is replaced.
    columns: the names of the columns.
    rows: values by column, None where there is none.

  Raises:
    UserError: the file cannot be written.
  """
  match os.path.splitext(path)[1]:
    case '.jsonl':
      _write_jsonl(path, columns, rows)
    case '.parquet':
      _write_parquet(path, columns, rows)
    case _:
      write_csv(path, columns, rows)


def write_csv(
  path: str | os.PathLike[str],
  columns: Sequence[str],
  rows: Iterable[Mapping[str, Any]],
) -> None:
  """Writes a CSV file; see `write_table`.

  Numbers have four decimals, missing values are empty, lists have ' | ' between
  their values.

  Args:
    path: of the file.
    columns: the header.
    rows: values by column.
  """
  cells = [(name, _cell_of(name)) for name in columns]
  with write_whole(path, text=True, what='the attributions') as file:
    table = csv.writer(file)
    table.writerow(columns)
    table.writerows(
      [
        '' if (value := row.get(name)) is None else cell(value)
        for name, cell in cells
      ]
      for row in rows
    )


def _cell_of(column: str) -> Callable[[Any], str]:
  """Returns what makes a cell of a value of a column."""
  if column in _LISTS:
    plain = spreadsheet if column in _TEXTS else str
    return lambda value: plain(_BETWEEN.join(map(str, value)))
  if column in _NUMBERS:
    return '{:.4f}'.format
  return spreadsheet if column in _TEXTS else str


def _write_jsonl(
  path: str | os.PathLike[str],
  columns: Sequence[str],
  rows: Iterable[Mapping[str, Any]],
) -> None:
  with write_whole(path, text=True, what='the attributions') as file:
    for row in rows:
      file.write(json.dumps({k: row.get(k) for k in columns}) + '\n')


def _write_parquet(
  path: str | os.PathLike[str],
  columns: Sequence[str],
  rows: Iterable[Mapping[str, Any]],
) -> None:
  # Imported late: it takes a while, and tensorflow-datasets brings it.
  import pyarrow
  import pyarrow.parquet

  kinds = {k: pyarrow.float64() for k in _NUMBERS} | {
    k: pyarrow.int32() for k in _WHOLE
  }
  of_list = {str: pyarrow.string(), int: pyarrow.int32()}
  kinds |= {k: pyarrow.list_(of_list[x]) for k, x in _LISTS.items()}
  schema = pyarrow.schema(
    [(k, kinds.get(k, pyarrow.string())) for k in columns]
  )
  with (
    write_whole(path, what='the attributions') as file,
    pyarrow.parquet.ParquetWriter(file, schema) as table,
  ):
    part: list[Mapping[str, Any]] = []

    def write() -> None:
      values = {k: [row.get(k) for row in part] for k in columns}
      table.write_table(pyarrow.table(values, schema))
      part.clear()

    for row in rows:
      part.append(row)
      if len(part) == _ROWS_AT_A_TIME:
        write()
    write()
