"""Parses the rows of a meta CSV, each checked on its own."""

import csv
import io
import pathlib
import re
from collections.abc import Iterator

from input_pipeline.errors import UserError
from input_pipeline.escape import quoted
from input_pipeline.name_rule import is_one_line

COLUMNS = (
  'img_name',
  'label',
  'method',
  'forgery_type',
  'forgery_label',
  'face_type',
  'tag',
  'code',
  'image_source',
  'img_path',
  'compression',
  'frame_idx',
)
# Columns that may follow, each by itself, in this order.
OPTIONAL = ('split', 'group')
INTEGERS = ('label', 'forgery_label', 'face_type', 'tag')
DROPPED, LABELLED, UNLABELLED = 0, 1, 2

# `int` would accept the digits of all scripts, and underscores.
_INTEGER = re.compile(' *[+-]?[0-9]{1,20} *')
# A path has at most 4096 bytes on Linux, and the csv module refuses fields of
# over 131072 characters.
_LONGEST_LINE = 1 << 20


def parse_rows(
  file: pathlib.Path, content: bytes
) -> tuple[list[dict], list[int]]:
  """Parses the content of a meta CSV.

  Args:
    file: named in errors.
    content: the bytes of the file, valid UTF-8. Spreadsheets add a byte order
      mark, which is left out.

  Returns:
    One dictionary for each row, its integers parsed, and the number of the
    line on which each row ends.

  Raises:
    UserError: the header, a row or a field is wrong, or there are no rows.
  """
  reader = csv.reader(_lines(content))
  rows, lines = [], []
  try:
    header = next(reader, [])
    further = [name for name in OPTIONAL if name in header]
    if header != [*COLUMNS, *further]:
      raise UserError(
        f'bad meta CSV: {file}, line 1: header {quoted(",".join(header))}; it '
        f'must be {",".join(COLUMNS)} (and, optionally, split, group)'
      )
    for fields in reader:
      if fields:  # an empty line gives no fields
        rows.append(_parse_row(file, reader.line_num, header, fields))
        lines.append(reader.line_num)
  except csv.Error as error:
    raise UserError(
      f'bad meta CSV: {file}, line {reader.line_num + 1}: {error}; correct the '
      'CSV'
    ) from error
  if not rows:
    raise UserError(f'bad meta CSV: {file}: it has no rows; list images')
  return rows, lines


def bad_field(
  file: pathlib.Path, line: int, field: str, value: object, rule: str
) -> UserError:
  """Returns the error for a field that breaks a rule."""
  return UserError(
    f'bad meta CSV: {file}, line {line}, {field}={quoted(value)}: {rule}; '
    'correct the CSV'
  )


def _lines(content: bytes) -> Iterator[str]:
  """Yields the lines with their ends.

  Raises:
    csv.Error: a line is far longer than any row.
  """
  # Without newline translation, as a quoted field may hold a line break.
  stream = io.TextIOWrapper(io.BytesIO(content), 'utf-8-sig', newline='')
  while line := stream.readline(_LONGEST_LINE):
    if len(line) == _LONGEST_LINE:
      raise csv.Error(f'over {_LONGEST_LINE:,} characters')
    yield line


def _parse_row(
  file: pathlib.Path, line: int, header: list[str], fields: list[str]
) -> dict:
  if len(fields) != len(header):
    raise UserError(
      f'bad meta CSV: {file}, line {line}: {len(fields)} fields, the header '
      f'has {len(header)}; put commas within a field in quotes'
    )
  row: dict = dict(zip(header, fields, strict=True))

  def check(field: str, valid: bool, rule: str) -> None:
    if not valid:
      raise bad_field(file, line, field, row[field], rule)

  for field in INTEGERS:
    check(field, bool(_INTEGER.fullmatch(row[field])), 'must be an integer')
    row[field] = int(row[field])
  unknown = row['label'] == -1
  check('tag', row['tag'] in (0, 1, 2), 'must be 0, 1 or 2')
  check('label', -1 <= row['label'] < 2**31, 'must be -1 or more')
  check(
    'label',
    not unknown or row['tag'] == UNLABELLED,
    'an unknown label needs tag 2 (unlabelled)',
  )
  # Whether an image is real is unknown together with its class.
  faces = (-1, 0, 1) if unknown else (0, 1)
  check('face_type', row['face_type'] in faces, 'must be 1 (real) or 0 (fake)')
  check('img_path', is_one_line(row['img_path']), 'has control characters')
  check('img_path', row['img_path'] != '', 'is empty')
  check('method', is_one_line(row['method']), 'has control characters')
  check('method', unknown or row['method'] != '', 'is empty')
  if 'split' in row:
    check('split', row['split'] in ('train', 'test'), 'must be train or test')
  if 'group' in row:
    check('group', is_one_line(row['group']), 'has control characters')
  return row
