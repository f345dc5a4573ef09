"""The meta CSV: which images there are, their classes and their tags.

Columns as in the released benchmark, plus an optional `split` column.
"""

import contextlib
import csv
import dataclasses
import hashlib
import io
import os
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np

from input_pipeline.errors import UserError

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
INTEGERS = ('label', 'forgery_label', 'face_type', 'tag')
DROPPED, LABELLED, UNLABELLED = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class ClassInfo:
  """One class: a method and where its images come from."""

  label: int
  name: str
  method: str
  forgery_type: str
  image_source: str
  known: bool
  face_type: int  # 1 real, 0 fake


@dataclasses.dataclass(frozen=True, eq=False)
class Meta:
  """A valid meta CSV, row by row; text columns are arrays of `str`."""

  path: pathlib.Path
  sha256: str  # of the file's bytes, hexadecimal
  label: np.ndarray  # int32 [N]; known classes first; -1 truth unknown
  tag: np.ndarray  # int8 [N]; 1 labelled, 2 unlabelled, 0 dropped
  face_type: np.ndarray  # int8 [N]; 1 real, 0 fake
  method: np.ndarray
  forgery_type: np.ndarray
  image_source: np.ndarray
  img_path: np.ndarray  # as written in the file
  split: np.ndarray | None  # 'train' or 'test', where the file has the column

  def __len__(self) -> int:
    return len(self.label)

  @property
  def num_known(self) -> int:
    """The number of known classes: those with labelled rows."""
    return int(self.label[self.tag == LABELLED].max()) + 1

  def file(self, row: int) -> pathlib.Path:
    """The image file of a row; relative paths start at the CSV's folder."""
    return self.path.parent / self.img_path[row]


def read(path: str | os.PathLike) -> Meta:
  """Reads and checks a meta CSV.

  Raises:
    UserError: naming the file, line, field and value that is wrong.
  """
  file = pathlib.Path(path)
  try:
    content = file.read_bytes()
  except OSError as error:
    raise UserError(
      f'cannot read the meta CSV {file}: {error.strerror}'
    ) from error
  try:
    text = content.decode('utf-8-sig')  # spreadsheets put a byte order mark
  except UnicodeDecodeError as error:
    line = content.count(b'\n', 0, error.start) + 1
    raise UserError(
      f'bad meta CSV: {file}, line {line}: not UTF-8; save it as UTF-8'
    ) from error
  rows, lines = _parse(file, text)
  columns = {name: [row[name] for row in rows] for name in rows[0]}
  meta = Meta(
    path=file,
    sha256=hashlib.sha256(content).hexdigest(),
    label=np.array(columns['label'], np.int32),
    tag=np.array(columns['tag'], np.int8),
    face_type=np.array(columns['face_type'], np.int8),
    method=np.array(columns['method'], object),
    forgery_type=np.array(columns['forgery_type'], object),
    image_source=np.array(columns['image_source'], object),
    img_path=np.array(columns['img_path'], object),
    split=np.array(columns['split'], object) if 'split' in columns else None,
  )
  _check_labels(meta)
  _check_classes(meta, lines)
  return meta


def write(
  path: str | os.PathLike, rows: Iterable[Mapping[str, object]]
) -> None:
  """Writes a meta CSV, complete or not at all.

  Args:
    path: the file; its folder exists.
    rows: one mapping per row from `COLUMNS` (and `split`, in all rows or none)
      to values.

  Raises:
    UserError: the file cannot be written, or a name is not valid Unicode.
  """
  rows = list(rows)
  has_split = bool(rows) and 'split' in rows[0]
  columns = [*COLUMNS, 'split'] if has_split else COLUMNS
  temporary = f'{os.fspath(path)}.{os.getpid()}.tmp'
  try:
    with open(temporary, 'w', encoding='utf-8', newline='') as file:
      writer = csv.DictWriter(file, columns, lineterminator='\n')
      writer.writeheader()
      writer.writerows(rows)
    os.replace(temporary, path)
  except OSError as error:
    raise UserError(
      f'cannot write the meta CSV {path}: {error.strerror}'
    ) from error
  except UnicodeEncodeError as error:
    raise UserError(
      f'cannot write the meta CSV {path}: {ascii(error.object.strip())} is not '
      'valid Unicode; rename that file'
    ) from error
  finally:
    with contextlib.suppress(OSError):
      os.unlink(temporary)


def classes(meta: Meta) -> tuple[ClassInfo, ...]:
  """The classes of the kept rows, by label.

  A class is called by its method, or `method-image_source` where another class
  has the same method; several sources under one label are joined by '&'.
  """
  found = []
  for label in range(int(meta.label.max()) + 1):
    rows = np.flatnonzero((meta.label == label) & (meta.tag != DROPPED))
    if len(rows):
      sources = sorted(set(meta.image_source[rows]))
      found.append((label, rows[0], '&'.join(sources)))
  methods = [meta.method[first] for _, first, _ in found]
  return tuple(
    ClassInfo(
      label=label,
      name=method if methods.count(method) == 1 else f'{method}-{source}',
      method=method,
      forgery_type=meta.forgery_type[first],
      image_source=source,
      known=label < meta.num_known,
      face_type=int(meta.face_type[first]),
    )
    for (label, first, source), method in zip(found, methods, strict=True)
  )


def _parse(file: pathlib.Path, text: str) -> tuple[list[dict], list[int]]:
  """Rows with their integers read, and the line each ends on."""
  reader = csv.reader(io.StringIO(text, newline=''))
  rows, lines = [], []
  try:
    header = next(reader, [])
    if tuple(header) not in (COLUMNS, (*COLUMNS, 'split')):
      raise UserError(
        f'bad meta CSV: {file}, line 1: header {",".join(header)!r}; it must '
        f'be {",".join(COLUMNS)} (and, if wanted, split)'
      )
    for fields in reader:
      if fields:
        rows.append(_row(file, reader.line_num, header, fields))
        lines.append(reader.line_num)
  except csv.Error as error:
    raise UserError(
      f'bad meta CSV: {file}, line {reader.line_num}: {error}'
    ) from error
  if not rows:
    raise UserError(f'bad meta CSV: {file}: it has no rows')
  return rows, lines


def _row(
  file: pathlib.Path, line: int, header: list[str], fields: list[str]
) -> dict:
  if len(fields) != len(header):
    raise UserError(
      f'bad meta CSV: {file}, line {line}: {len(fields)} fields, the header '
      f'has {len(header)}'
    )
  row: dict = dict(zip(header, fields, strict=True))

  def check(field: str, valid: bool, rule: str) -> None:
    if not valid:
      raise _bad(file, line, field, row[field], rule)

  for field in INTEGERS:
    try:
      row[field] = int(row[field])
    except ValueError:
      raise _bad(file, line, field, row[field], 'not an integer') from None
  unknown = row['label'] == -1
  check('tag', row['tag'] in (0, 1, 2), 'must be 0, 1 or 2')
  check('label', -1 <= row['label'] < 2**31, 'must be -1 or more')
  check(
    'label',
    not unknown or row['tag'] == UNLABELLED,
    'an unknown label needs tag 2 (unlabelled)',
  )
  faces = (-1, 0, 1) if unknown else (0, 1)
  check('face_type', row['face_type'] in faces, 'must be 1 (real) or 0 (fake)')
  check('img_path', row['img_path'].isprintable(), 'has control characters')
  check('img_path', row['img_path'] != '', 'is empty')
  check('method', row['method'].isprintable(), 'has control characters')
  check('method', unknown or row['method'] != '', 'is empty')
  if 'split' in row:
    check('split', row['split'] in ('train', 'test'), 'must be train or test')
  return row


def _check_labels(meta: Meta) -> None:
  """Labels are 0 .. K-1 without gaps, the known ones first."""
  labelled = set(meta.label[meta.tag == LABELLED].tolist())
  if not labelled:
    raise UserError(
      f'bad meta CSV: {meta.path}: no labelled row (tag=1), so no known class'
    )
  kept = set(meta.label[meta.tag != DROPPED].tolist()) - {-1}
  for label in range(max(kept) + 1):
    if label not in kept:
      raise UserError(
        f'empty class: {meta.path}: no row with label={label} is kept '
        f'(tag 1 or 2), though there are labels up to {max(kept)}; number the '
        'labels without gaps'
      )
    if label <= max(labelled) and label not in labelled:
      raise UserError(
        f'empty class: {meta.path}: label={label} has no labelled row (tag=1), '
        f'though label={max(labelled)} has; number the known classes first'
      )


def _check_classes(meta: Meta, lines: list[int]) -> None:
  """Every row of a label has the same method, forgery type and face type."""
  first: dict[int, int] = {}
  columns = ('method', 'forgery_type', 'face_type')
  for row, label in enumerate(meta.label.tolist()):
    if label == -1 or meta.tag[row] == DROPPED:
      continue
    origin = first.setdefault(label, row)
    for name in columns:
      column = getattr(meta, name)
      if column[row] != column[origin]:
        rule = (
          f'label {label} has {name}={column[origin]!s} in line {lines[origin]}'
        )
        raise _bad(meta.path, lines[row], name, str(column[row]), rule)
  names = [entry.name for entry in classes(meta)]
  for name in names:
    if names.count(name) > 1:
      raise UserError(
        f'bad meta CSV: {meta.path}: two labels are both called {name!r} '
        '(same method and image_source); give them one label'
      )


def _bad(
  file: pathlib.Path, line: int, field: str, value: object, rule: str
) -> UserError:
  return UserError(
    f'bad meta CSV: {file}, line {line}, {field}={value!r}: {rule}'
  )
