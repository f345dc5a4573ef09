"""Opens a packed directory: description, indices and random-access shards.

Opening reads two small indices and no record, and is safe on untrusted files.
A URL (gs://bucket/folder) is copied to the local cache first.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterable

import numpy as np

from input_pipeline import files, object_store, packed_format, storage
from input_pipeline.description_fields import SplitSize, read_fields
from input_pipeline.errors import BY_PACK, UserError
from input_pipeline.meta import LABELLED, ClassInfo
from input_pipeline.packed_format import DESCRIPTION, SPLITS, damaged_file
from input_pipeline.split_index import RowIds, read_index
from input_pipeline.tfrecord import FOOTER_BYTES, TFRecordSource


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """One split of N records.

  Attributes:
    source: the serialised records by row.
    label: int32 [N], true labels, -1 where unknown.
    tag: int8 [N], 1 labelled, 2 unlabelled.
    row_ids: the ids of the rows; None in packs made before indices held them.
    row_group: int32 [N], the number of each row's group, below N; None if each
      row is a group of its own.
  """

  source: TFRecordSource
  label: np.ndarray
  tag: np.ndarray
  row_ids: RowIds | None = None
  row_group: np.ndarray | None = None

  def __len__(self) -> int:
    return len(self.label)

  @property
  def has_groups(self) -> bool:
    """Whether the rows were packed in groups: tiles of images, or frames."""
    return self.row_group is not None

  @property
  def group(self) -> np.ndarray:
    """The number of each row's group, int32 [N], below N.

    A group is what comes from one image or one video, and gets one verdict.
    """
    if self.row_group is None:
      return np.arange(len(self), dtype=np.int32)
    return self.row_group

  def select(self, rows: np.ndarray) -> 'Split':
    """Returns some rows as a split; groups are numbered anew.

    Args:
      rows: int [M], in the order to have them.
    """
    group = None
    if self.row_group is not None:
      group = np.unique(self.row_group[rows], return_inverse=True)[1]
      group = group.reshape(-1).astype(np.int32)
    return Split(
      source=self.source.select(rows),
      label=self.label[rows],
      tag=self.tag[rows],
      row_ids=None if self.row_ids is None else self.row_ids.select(rows),
      row_group=group,
    )

  def ids(self, rows: Iterable[int]) -> list[str]:
    """Returns the ids of `rows`: image paths as the meta CSV has them.

    Raises:
      UserError: the pack holds no ids in its index, and a record is damaged.
    """
    rows = [int(row) for row in rows]
    if self.row_ids is not None:
      return self.row_ids.take(rows)
    # Imported late: opening a dataset must not load tensorflow-datasets.
    from input_pipeline import features

    return [features.decode_record(self.source[row]).id for row in rows]


@dataclasses.dataclass(frozen=True, eq=False)
class PackedDataset:
  """An open packed dataset.

  Attributes:
    path: the local directory.
    description: the parsed description file.
    classes: the classes by label, known ones first.
    num_known: the number of known classes.
    novel_count_known: False if the class of some unlabelled training images is
      unknown. `classes` then lists only the classes that some row names.
    image_size: S, images are S x S pixels.
    train: the training split.
    test: the test split.
    unseen: test rows of classes that were left out, see
      `left_out.leave_out`; None if none were.
  """

  path: pathlib.Path
  description: dict
  classes: tuple[ClassInfo, ...]
  num_known: int
  novel_count_known: bool
  image_size: int
  train: Split
  test: Split
  unseen: Split | None = None

  @property
  def num_classes(self) -> int:
    """The number of classes, known and novel."""
    return len(self.classes)

  @property
  def has_images(self) -> bool:
    """Whether there are images; False for what `describe_dataset` returns."""
    return len(self.train) > 0


def open_dataset(path: str | os.PathLike) -> PackedDataset:
  """Opens a directory that `python -m input_pipeline.pack` wrote.

  Args:
    path: a local directory, or a URL, whose files are copied to the local
      cache unless they are there (`storage.fetch`).

  Raises:
    UserError: the directory is missing, foreign, of another version, damaged
      or incomplete, a shard is truncated, or a class has no training record.
  """
  object_store.check_slashes(path, 'the packed directory')
  if storage.is_remote(path):
    directory = storage.fetch(os.fspath(path), DESCRIPTION)
  else:
    directory = pathlib.Path(path)
  description = _read_description(directory)
  try:
    fields = read_fields(description)
  except ValueError as error:
    raise damaged_file(directory / DESCRIPTION, str(error)) from error
  classes = fields.classes
  train, test = (
    _open_split(directory, split, fields.splits[split], len(classes))
    for split in SPLITS
  )
  dataset = PackedDataset(
    path=directory,
    description=description,
    classes=classes,
    num_known=fields.num_known,
    novel_count_known=fields.novel_count_known,
    image_size=fields.image_size,
    train=train,
    test=test,
  )
  problem = empty_class(classes, dataset.train.label, dataset.train.tag)
  if problem:
    raise UserError(f'{problem}: {directory}; pack again with images for it')
  return dataset


def describe_dataset(
  description: dict, directory: str | os.PathLike
) -> PackedDataset:
  """Returns a dataset without its images: both splits are empty.

  It is enough to prepare other images as the dataset's were.

  Args:
    description: the parsed description file.
    directory: where the packed directory was.

  Raises:
    ValueError: a field of the description is wrong; the message names it.
  """
  fields = read_fields(description)
  none = np.zeros(0, np.int64)
  split = Split(
    source=TFRecordSource([], none, none, none),
    label=none.astype(np.int32),
    tag=none.astype(np.int8),
  )
  return PackedDataset(
    path=pathlib.Path(directory),
    description=description,
    classes=fields.classes,
    num_known=fields.num_known,
    novel_count_known=fields.novel_count_known,
    image_size=fields.image_size,
    train=split,
    test=split,
  )


def empty_class(
  classes: tuple[ClassInfo, ...], label: np.ndarray, tag: np.ndarray
) -> str:
  """Returns which class cannot be trained on, or '' if all can.

  A known class needs a labelled training row, a novel class any training row.
  If the class of some rows is unknown, a novel class may be among them.

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
  # `directory.exists()` fails for a very long name.
  if not os.path.exists(directory):
    raise UserError(
      f'no data directory: {directory} does not exist; make it with {BY_PACK}, '
      'or say where it is (training: --config.data.path)'
    )
  path = directory / DESCRIPTION
  if not directory.is_dir() or not path.is_file():
    raise UserError(
      f'not a packed dataset: {directory} has no {DESCRIPTION}; make one with '
      f'{BY_PACK}'
    )
  try:
    content = files.read_regular(path, files.LIST_LIMIT)
  except OSError as error:
    raise UserError(
      f'cannot read {path}: {error.strerror}; check its permissions'
    ) from error
  return packed_format.parse_description(content, directory)


def _open_split(
  directory: pathlib.Path, split: str, size: SplitSize, num_classes: int
) -> Split:
  index, row_ids = read_index(
    directory / packed_format.index_name(split),
    num_rows=size.num_rows,
    num_shards=size.num_shards,
    num_classes=num_classes,
  )
  paths = [
    directory / packed_format.shard_name(split, number, size.num_shards)
    for number in range(size.num_shards)
  ]
  shard, offset, length = index['shard'], index['offset'], index['length']
  # Sizes tell truncated and foreign shards apart without reading them.
  end = np.zeros(size.num_shards, np.int64)
  np.maximum.at(end, shard, offset + length + FOOTER_BYTES)
  for path, expected in zip(paths, end.tolist(), strict=True):
    _check_shard(path, expected)
  return Split(
    source=TFRecordSource(paths, shard, offset, length),
    label=index['label'],
    tag=index['tag'],
    row_ids=row_ids,
    row_group=index.get('group'),
  )


def _check_shard(path: pathlib.Path, expected: int) -> None:
  """Checks that a shard is there and ends with the last record of the index."""
  if not path.is_file():
    raise UserError(f'missing shard: {path}; copy it here or pack again')
  size = path.stat().st_size
  if size != expected:
    what = 'truncated shard' if size < expected else 'foreign shard'
    raise UserError(
      f'{what}: {path} has {size} bytes, the index expects {expected}; copy it '
      'again or pack again'
    )
