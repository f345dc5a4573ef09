"""The meta CSV: the images of a dataset, their classes and their tags.

Its columns are those of the released benchmark, plus two that may be missing,
`split` and `group`.
"""

import collections
import csv
import dataclasses
import hashlib
import io
import os
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np

from input_pipeline import files
from input_pipeline.errors import BY_PREPARE, UserError
from input_pipeline.escape import quoted, shortened
from input_pipeline.meta_rows import (
  COLUMNS,
  DROPPED,
  LABELLED,
  OPTIONAL,
  UNLABELLED,
  bad_field,
  parse_rows,
)

__all__ = [
  'COLUMNS',
  'DROPPED',
  'LABELLED',
  'UNLABELLED',
  'ClassInfo',
  'Meta',
  'classes',
  'format_meta',
  'read_meta',
  'write_meta',
]

# CSVs that are named where another one is missing.
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class ClassInfo:
  """One class: the source of its images, a forgery method or real faces.

  Attributes:
    label: the class id.
    name: unique among the classes of a dataset.
    method: the `method` of the meta CSV.
    forgery_type: the `forgery_type` of the meta CSV.
    image_source: the datasets that the images come from, joined by '&'.
    known: whether the class has labelled images.
    face_type: 1 real, 0 fake.
  """

  label: int
  name: str
  method: str
  forgery_type: str
  image_source: str
  known: bool
  face_type: int


@dataclasses.dataclass(frozen=True, eq=False)
class Meta:
  """A valid meta CSV of N rows; text columns are arrays of `str` objects.

  Attributes:
    path: the file.
    sha256: the hash of the file's bytes, hexadecimal.
    label: int32 [N], known classes first, -1 where the class is unknown.
    tag: int8 [N], 1 labelled, 2 unlabelled, 0 dropped.
    face_type: int8 [N], 1 real, 0 fake, -1 where the class is unknown.
    method: the forgery method, or the name of the real faces.
    forgery_type: the kind of forgery.
    image_source: the dataset that the image comes from.
    img_path: the image's path as written in the file.
    split: 'train' or 'test'; None if the file has no such column.
    group: images with the same text are of one group, such as the frames of a
      video; '' is a group of one. None if the file has no such column.
  """

  path: pathlib.Path
  sha256: str
  label: np.ndarray
  tag: np.ndarray
  face_type: np.ndarray
  method: np.ndarray
  forgery_type: np.ndarray
  image_source: np.ndarray
  img_path: np.ndarray
  split: np.ndarray | None
  group: np.ndarray | None = None

  def __len__(self) -> int:
    return len(self.label)

  @property
  def num_known(self) -> int:
    """The number of known classes: those with labelled rows."""
    return int(self.label[self.tag == LABELLED].max()) + 1

  def file(self, row: int) -> pathlib.Path:
    """Returns a row's image file; relative paths start at the CSV's folder."""
    return self.path.parent / self.img_path[row]


def _lists_near(file: pathlib.Path) -> str:
  """Returns the CSVs where one was looked for, to say in an error; or ''."""
  # `file.is_dir()` fails for a very long name.
  folder = file if os.path.isdir(file) else file.parent
  try:
    names = sorted(x for x in os.listdir(folder) if x.endswith('.csv'))
  except OSError:
    return ''
  names = [x for x in names if x.endswith('_meta.csv')] or names
  found = [str(folder / x) for x in names if folder / x != file][:_SHOWN]
  if not found:
    return ''
  return f'give one of {", ".join(found)}, or '


def read_meta(path: str | os.PathLike) -> Meta:
  """Reads and checks a meta CSV.

  Raises:
    UserError: naming the file, line, field and value that is wrong.
  """
  file = pathlib.Path(path)
  try:
    content = files.read_regular(file, files.LIST_LIMIT)
  except OSError as error:
    raise UserError(
      f'cannot read the meta CSV {file}: {error.strerror}; {_lists_near(file)}'
      f'make one with {BY_PREPARE}'
    ) from error
  try:
    text = content.decode()
  except UnicodeDecodeError as error:
    line = content.count(b'\n', 0, error.start) + 1
    raise UserError(
      f'bad meta CSV: {file}, line {line}: not UTF-8; save it as UTF-8'
    ) from error
  del text  # parsed line by line, which takes far less memory
  rows, lines = parse_rows(file, content)
  # Text columns are arrays of objects: NumPy's fixed-width strings would store
  # every path as wide as the longest one.
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
    group=np.array(columns['group'], object) if 'group' in columns else None,
  )
  _check_labels(meta)
  _check_classes(meta, lines)
  _check_groups(meta, lines)
  return meta


def write_meta(
  path: str | os.PathLike, rows: Iterable[Mapping[str, object]]
) -> None:
  """Writes a meta CSV, complete or not at all.

  Args:
    path: the file; its folder is made if need be.
    rows: one mapping for each row, from `COLUMNS` (and of `split` and `group`
      those that the first row has) to values.

  Raises:
    UserError: the file cannot be written, or a name is not valid Unicode.
  """
  text = format_meta(rows)
  try:
    with files.write_whole(path, text=True, what='the meta CSV') as file:
      file.write(text)
  except UnicodeEncodeError as error:
    bad = text[max(0, error.start - 40) : error.end + 40]
    raise UserError(
      f'cannot write the meta CSV {path}: {quoted(bad)} is not valid Unicode; '
      'rename that file'
    ) from error


def format_meta(rows: Iterable[Mapping[str, object]]) -> str:
  """Returns the text of a meta CSV; `rows` are those of `write_meta`."""
  rows = list(rows)
  columns = [*COLUMNS, *(n for n in OPTIONAL if rows and n in rows[0])]
  text = io.StringIO(newline='')
  # The same line ends on all systems, since packing hashes the file.
  writer = csv.DictWriter(text, columns, lineterminator='\n')
  writer.writeheader()
  writer.writerows(rows)
  return text.getvalue()


def classes(meta: Meta) -> tuple[ClassInfo, ...]:
  """Returns the classes of the rows that are not dropped, by label.

  A class is named after its method, or `method-image_source` if another class
  has the same method. Several sources of one label are joined by '&'.
  """
  rows = np.flatnonzero((meta.label >= 0) & (meta.tag != DROPPED))
  # By label, and within a label in the order of the file.
  rows = rows[np.argsort(meta.label[rows], kind='stable')]
  labels, starts = np.unique(meta.label[rows], return_index=True)
  found = []
  for label, of_label in zip(
    labels.tolist(), np.split(rows, starts[1:]), strict=True
  ):
    sources = sorted(set(meta.image_source[of_label]))
    found.append((label, of_label[0], '&'.join(sources)))
  num_known = meta.num_known
  methods = [meta.method[first] for _, first, _ in found]
  count = collections.Counter(methods)
  return tuple(
    ClassInfo(
      label=label,
      name=method if count[method] == 1 else f'{method}-{source}',
      method=method,
      forgery_type=meta.forgery_type[first],
      image_source=source,
      known=label < num_known,
      face_type=int(meta.face_type[first]),
    )
    for (label, first, source), method in zip(found, methods, strict=True)
  )


def _check_labels(meta: Meta) -> None:
  """Checks that labels are 0 .. K-1 without gaps, known ones first."""
  labelled = set(meta.label[meta.tag == LABELLED].tolist())
  if not labelled:
    raise UserError(
      f'bad meta CSV: {meta.path}: no labelled row, so no known class; give '
      'tag=1 to the images whose class is known'
    )
  kept = set(meta.label[meta.tag != DROPPED].tolist()) - {-1}
  last, last_known = max(kept), max(labelled)
  for label in range(last + 1):
    if label not in kept:
      raise UserError(
        f'empty class: {meta.path}: no row with label={label} is kept '
        f'(tag 1 or 2), though there are labels up to {last}; number the '
        'labels without gaps'
      )
    if label <= last_known and label not in labelled:
      raise UserError(
        f'empty class: {meta.path}: label={label} has no labelled row (tag=1), '
        f'though label={last_known} has; number the known classes first'
      )


def _check_classes(meta: Meta, lines: list[int]) -> None:
  """Checks that the rows of a label agree, and that class names differ."""
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
          f'label {label} has {name}={shortened(str(column[origin]))} in line '
          f'{lines[origin]}'
        )
        raise bad_field(meta.path, lines[row], name, str(column[row]), rule)
  names = collections.Counter(entry.name for entry in classes(meta))
  for name, count in names.items():
    if count > 1:
      raise UserError(
        f'bad meta CSV: {meta.path}: two labels are both called '
        f'{quoted(name)} (same method and image_source); give them one label'
      )


def _check_groups(meta: Meta, lines: list[int]) -> None:
  """Checks that the rows of a group have one label."""
  if meta.group is None:
    return
  first: dict[str, int] = {}
  for row in np.flatnonzero(meta.tag != DROPPED).tolist():
    group = meta.group[row]
    origin = first.setdefault(group, row)
    if group and meta.label[row] != meta.label[origin]:
      rule = (
        f'label {meta.label[row]}, but line {lines[origin]} of this group has '
        f'{meta.label[origin]}'
      )
      raise bad_field(meta.path, lines[row], 'group', group, rule)
