"""Tables of answers as files."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from input_pipeline.escape import spreadsheet
from input_pipeline.files import write_whole

# Columns that come from files and folders; a spreadsheet might run them.
_TEXTS = ('image', 'source', 'second_choice')


def write_csv(
  path: str | os.PathLike[str],
  columns: Sequence[str],
  rows: Iterable[Mapping[str, Any]],
) -> None:
  """Writes a CSV file, complete or not at all.

  Args:
    path: of the file; one that is there is replaced.
    columns: the header.
    rows: values by column; see `as_text`.

  Raises:
    UserError: the file cannot be written.
  """
  with write_whole(path, text=True, what='the attributions') as file:
    table = csv.writer(file)
    table.writerow(columns)
    table.writerows([as_text(k, row.get(k)) for k in columns] for row in rows)


def as_text(column: str, value: Any) -> str:
  """Returns a value as a CSV file has it: '' for None, four decimals.

  Args:
    column: the name of the column.
    value: the value.
  """
  if value is None:
    return ''
  if isinstance(value, float):
    return f'{value:.4f}'
  return spreadsheet(value) if column in _TEXTS else str(value)
