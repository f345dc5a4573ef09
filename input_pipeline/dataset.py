"""Opens a packed directory: description, indices and random-access shards.

Opening reads two small indices and no record; it is safe on untrusted files.
A URL (gs://bucket/folder) is copied to the local cache first.
"""

import dataclasses
import json
import os
import pathlib
import re
import zipfile

import numpy as np

from input_pipeline import storage
from input_pipeline.errors import UserError
from input_pipeline.meta import LABELLED, ClassInfo
from input_pipeline.tfrecord import FOOTER_BYTES, TFRecordSource

NAME = 'owdfa'
FORMAT = 'owdfa-packed'
FORMAT_VERSION = 1
DESCRIPTION = 'description.json'
SPLITS = ('train', 'test')
INDEX_DTYPES = {
  'shard': np.int32,
  'offset': np.int64,
  'length': np.int64,
  'label': np.int32,
  'tag': np.int8,
}


def shard_name(split: str, shard: int, num_shards: int) -> str:
  """A shard's file name, as tensorflow-datasets has it."""
  return f'{NAME}-{split}.tfrecord-{shard:05d}-of-{num_shards:05d}'


def index_name(split: str) -> str:
  """The file name of a split's index."""
  return f'{split}.index.npz'


# What packing writes, and tensorflow-datasets with it.
_FILE_NAME = re.compile(
  rf'{NAME}-({"|".join(SPLITS)})\.tfrecord-\d{{5,}}-of-\d{{5,}}(\.(spec|result)\.json)?'
  rf'|({"|".join(SPLITS)})\.index\.npz|{re.escape(DESCRIPTION)}'
  r'|features\.json|dataset_info\.json|label\.labels\.txt|README\.md|LICENSE'
)


def is_packed_name(name: str) -> bool:
  """Whether packing writes files of that name."""
  return _FILE_NAME.fullmatch(name) is not None


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """One split: its records and, row by row, their true labels and tags."""

  source: TFRecordSource
  label: np.ndarray  # int32 [N], true label, -1 where unknown
  tag: np.ndarray  # int8 [N], 1 labelled, 2 unlabelled

  def __len__(self) -> int:
    return len(self.label)


@dataclasses.dataclass(frozen=True, eq=False)
class PackedDataset:
  """An open packed dataset."""

  path: pathlib.Path
  description: dict
  classes: tuple[ClassInfo, ...]
  num_known: int
  # False where unlabelled images have no true class: `num_classes` then counts
  # only the classes that some row names.
  novel_count_known: bool
  image_size: int
  train: Split
  test: Split

  @property
  def num_classes(self) -> int:
    """The number of classes that the description names, known ones first."""
    return len(self.classes)


def open_dataset(path: str | os.PathLike) -> PackedDataset:
  """Opens what `python -m input_pipeline.pack` wrote.

  Args:
    path: a local directory, or a URL, whose files are copied to the local
      cache unless they are there (`storage.fetch`).

  Raises:
    UserError: the directory is missing, foreign, of another version, damaged
      or incomplete, a shard is truncated, or a class has no training record.
  """
  if storage.is_remote(path):
    directory = storage.fetch(os.fspath(path), DESCRIPTION)
  else:
    directory = pathlib.Path(path)
  description = _read_description(directory)
  try:
    classes = tuple(
      ClassInfo(
        **{f.name: entry[f.name] for f in dataclasses.fields(ClassInfo)}
      )
      for entry in description['classes']
    )
    num_known = int(description['num_known'])
    novel_count_known = bool(description['novel_count_known'])
    image_size = int(description['image_size'])
    num_shards = {s: int(description['splits'][s]['shards']) for s in SPLITS}
    count = {s: int(description['splits'][s]['records']) for s in SPLITS}
  except (KeyError, TypeError, ValueError) as error:
    raise _damaged(directory / DESCRIPTION, repr(error)) from error
  labels_in_order = [c.label for c in classes] == list(range(len(classes)))
  known_first = [c.known for c in classes] == [
    label < num_known for label in range(len(classes))
  ]
  if not labels_in_order or not known_first:
    raise _damaged(
      directory / DESCRIPTION, 'its classes are not in the order of the labels'
    )
  train, test = (
    _open_split(directory, s, num_shards[s], count[s], len(classes))
    for s in SPLITS
  )
  dataset = PackedDataset(
    path=directory,
    description=description,
    classes=classes,
    num_known=num_known,
    novel_count_known=novel_count_known,
    image_size=image_size,
    train=train,
    test=test,
  )
  lacking = empty_class(classes, train.label, train.tag)
  if lacking:
    raise UserError(f'{lacking}: {directory}; pack again with images for it')
  return dataset


def empty_class(
  classes: tuple[ClassInfo, ...], label: np.ndarray, tag: np.ndarray
) -> str:
  """Says which class cannot be trained on, or '' when all can.

  A known class needs a labelled training row and a novel one any; where the
  truth of some rows is unknown a novel class may hide among them.

  Args:
    classes: all classes.
    label: int [N], true labels of the training rows, -1 unknown.
    tag: int [N], their tags.
  """
  labelled = set(label[tag == LABELLED].tolist())
  present = set(label.tolist())
  for entry in classes:
    if entry.known and entry.label not in labelled:
      return f'empty class: {entry.name!r} has no labelled training record'
    if -1 not in present and entry.label not in present:
      return f'empty class: {entry.name!r} has no training record'
  return ''


def _read_description(directory: pathlib.Path) -> dict:
  if not directory.exists():
    raise UserError(
      f'no data directory: {directory} does not exist; make it with '
      '`python -m input_pipeline.pack`, or say where it is (training: '
      '--config.data.path)'
    )
  path = directory / DESCRIPTION
  if not directory.is_dir() or not path.is_file():
    raise UserError(
      f'not a packed dataset: {directory} has no {DESCRIPTION}; make one with '
      '`python -m input_pipeline.pack`'
    )
  try:
    content = path.read_bytes()
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}') from error
  return parse_description(content, directory)


def parse_description(content: bytes, directory: str | os.PathLike) -> dict:
  """Reads the description of a packed directory.

  Args:
    content: of its description file.
    directory: for the errors, a local path or a URL.

  Raises:
    UserError: it is damaged, foreign or of another version.
  """
  name = f'{directory}/{DESCRIPTION}'
  try:
    description = json.loads(content)
  except (ValueError, RecursionError) as error:
    raise _damaged(name, str(error)) from error
  if not isinstance(description, dict) or description.get('format') != FORMAT:
    raise UserError(
      f'not a packed dataset: {name} lacks format={FORMAT!r}; make one with '
      '`python -m input_pipeline.pack`'
    )
  version = description.get('format_version')
  if version != FORMAT_VERSION:
    raise UserError(
      f'unknown format: {name}, format_version={version!r}, this code reads '
      f'{FORMAT_VERSION}; pack the data again'
    )
  return description


def _open_split(
  directory: pathlib.Path,
  split: str,
  num_shards: int,
  count: int,
  num_classes: int,
) -> Split:
  index = _read_index(directory / index_name(split))
  lengths = {len(column) for column in index.values()}
  label, shard, tag = index['label'], index['shard'], index['tag']
  sound = (
    lengths == {count}
    and (shard >= 0).all()
    and (shard < num_shards).all()
    and (index['offset'] >= 0).all()
    and (index['length'] >= 0).all()
    and (label >= -1).all()
    and (label < num_classes).all()
    and np.isin(tag, (1, 2)).all()
  )
  if not sound:
    raise _damaged(
      directory / index_name(split), f'it does not fit {DESCRIPTION}'
    )
  paths = [
    directory / shard_name(split, i, num_shards) for i in range(num_shards)
  ]
  end = index['offset'] + index['length'] + FOOTER_BYTES
  for number, path in enumerate(paths):
    _check_shard(path, int(end[shard == number].max(initial=0)))
  source = TFRecordSource(paths, shard, index['offset'], index['length'])
  return Split(source=source, label=label, tag=tag)


def _check_shard(path: pathlib.Path, expected: int) -> None:
  if not path.is_file():
    raise UserError(f'missing shard: {path}; copy it here or pack again')
  size = path.stat().st_size
  if size != expected:
    what = 'truncated shard' if size < expected else 'foreign shard'
    raise UserError(
      f'{what}: {path} has {size} bytes, the index expects {expected}; copy it '
      'again or pack again'
    )


def _read_index(path: pathlib.Path) -> dict[str, np.ndarray]:
  if not path.is_file():
    raise UserError(f'missing index: {path}; copy it here or pack again')
  try:
    # Opened here, for NumPy leaves a file open that it cannot read.
    with open(path, 'rb') as raw, np.load(raw, allow_pickle=False) as file:
      index = {name: file[name] for name in INDEX_DTYPES}
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise _damaged(path, str(error)) from error
  for name, dtype in INDEX_DTYPES.items():
    if index[name].dtype != dtype or index[name].ndim != 1:
      raise _damaged(path, f'column {name!r} is not a {np.dtype(dtype)} vector')
  return index


def _damaged(path: str | os.PathLike, why: str) -> UserError:
  return UserError(f'damaged file: {path}: {why}; copy it again or pack again')
