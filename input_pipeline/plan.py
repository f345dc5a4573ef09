"""What a packing will do: the encoding, and which rows go to which shard."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping

import numpy as np

from input_pipeline import files, meta, splits
from input_pipeline.data_card import Card
from input_pipeline.dataset import empty_class
from input_pipeline.errors import UserError
from input_pipeline.escape import quoted
from input_pipeline.faces import Crop
from input_pipeline.image_headers import probe
from input_pipeline.name_rule import why_taken
from input_pipeline.pack_options import Options
from input_pipeline.packed_format import SPLITS, shard_name
from input_pipeline.shards import Encoding, ImageRow, Shard, Written

# Used unless --shards is given.
IMAGES_PER_SHARD = 500
MAX_SHARDS = 128
# Upper bounds, in bytes: of a record's other fields, its framing and its row of
# the index; of the metadata; and of a shard's line in the data card.
_RECORD_BYTES, _METADATA_BYTES, _SHARD_BYTES = 1024, 16384, 256


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
  """A packing that has been checked and can start.

  Attributes:
    table: the meta CSV.
    card: texts for the data card.
    options: the options of the packing.
    classes: the classes by label.
    rows: the rows of the CSV in each split, in the split's order, int64 [N].
    encoding: how the images are stored.
  """

  table: meta.Meta
  card: Card
  options: Options
  classes: tuple[meta.ClassInfo, ...]
  rows: dict[str, np.ndarray]
  encoding: Encoding


def make_plan(table: meta.Meta, card: Card, options: Options) -> Plan:
  """Splits the rows and chooses the encoding.

  Raises:
    UserError: a split is empty, a class has no training image or no name for
      a source, or a group has images in both splits.
  """
  train, test = splits.split_rows(table, ratio=options.ratio, seed=options.seed)
  classes = meta.classes(table)
  _check_names(table, classes)
  check_trainable(table, classes, table.label[train], table.tag[train])
  _check_groups(table, train, test)
  rows = dict(zip(SPLITS, (train, test), strict=True))
  encoding = _choose_encoding(table, rows, options)
  return Plan(table, card, options, classes, rows, encoding)


def check_trainable(
  table: meta.Meta,
  classes: tuple[meta.ClassInfo, ...],
  label: np.ndarray,
  tag: np.ndarray,
) -> None:
  """Checks that each class can be trained on; see `dataset.empty_class`.

  Args:
    table: the meta CSV, named in the error.
    classes: all classes.
    label: int [N], true labels of the training rows, -1 unknown.
    tag: int [N], their tags.

  Raises:
    UserError: a class has no training image that it needs.
  """
  problem = empty_class(classes, label, tag)
  if problem:
    raise UserError(
      f'{problem}: {table.path}: give it more images or drop it from the CSV'
    )


def _check_names(table: meta.Meta, classes: tuple[meta.ClassInfo, ...]) -> None:
  """Raises `UserError` if a class is called as tables call other images.

  Not where a CSV is read: what was packed from it earlier stays in use.
  """
  for entry in classes:
    if why := why_taken(entry.name):
      raise UserError(
        f'not a name for a class: {table.path}: label {entry.label} is called '
        f'{quoted(entry.name)} ({why}); give its rows another method'
      )


def _check_groups(
  table: meta.Meta, train: np.ndarray, test: np.ndarray
) -> None:
  """Raises `UserError` if a group has images in both splits."""
  if table.group is None:
    return
  of_training = {table.group[row]: row for row in train.tolist()}
  of_training.pop('', None)
  for row in test.tolist():
    if (other := of_training.get(table.group[row])) is not None:
      raise UserError(
        f'a group in both splits: {table.path}: group '
        f'{quoted(table.group[row])} has {table.img_path[other]} for training '
        f'and {table.img_path[row]} for the test; give the CSV a column split '
        'that keeps a group together'
      )


def face_crop(options: Options) -> Crop | None:
  """Returns how faces are cut out; None if whole images are packed."""
  if options.crop == 'none':
    return None
  return Crop(options.crop, options.margin, options.align)


def estimated_bytes(plan: Plan) -> int:
  """Returns an upper bound of the size of the packed directory."""
  every_row = np.concatenate([*plan.rows.values()])
  overhead = _METADATA_BYTES + 2 * MAX_SHARDS * _SHARD_BYTES
  num_records = len(every_row) * _most_records(plan.options)
  overhead += num_records * _RECORD_BYTES
  encoding = plan.encoding
  if not encoding.keep:
    pixels = encoding.size**2
    # PNG may store the pixels as they are; JPEG stays below that.
    per_image = 3 * pixels if encoding.format == 'png' else 2 * pixels
    return num_records * per_image + overhead
  total = 0
  for row in every_row:
    # Packing itself reports files that are missing.
    with contextlib.suppress(OSError):
      total += plan.table.file(row).stat().st_size
  return total + overhead


def deal_rows(plan: Plan, split: str, folder: str) -> Iterator[Shard]:
  """Deals the rows of a split to its shards in turn, like cards.

  Args:
    plan: the packing.
    split: 'train' or 'test'.
    folder: where the shards are written, a local path or a URL.

  Yields:
    The shards; their sizes differ by at most one row.
  """
  table, rows, options = plan.table, plan.rows[split], plan.options
  num_records = len(rows) * _most_records(options)
  by_size = min(MAX_SHARDS, -(-num_records // IMAGES_PER_SHARD))
  count = min(options.shards or by_size, len(rows))
  for shard in range(count):
    yield Shard(
      split=split,
      number=shard,
      folder=folder,
      name=shard_name(split, shard, count),
      rows=tuple(
        ImageRow(
          number=number,
          file=os.fspath(table.file(rows[number])),
          id=table.img_path[rows[number]],
          label=int(table.label[rows[number]]),
          tag=int(table.tag[rows[number]]),
          method=table.method[rows[number]],
          forgery_type=table.forgery_type[rows[number]],
          image_source=table.image_source[rows[number]],
        )
        for number in range(shard, len(rows), count)
      ),
      encoding=plan.encoding,
      crop=face_crop(options),
      skip_unreadable=options.on_error == 'skip',
      max_pixels=options.max_pixels,
      tiling=options.tiling,
    )


def _most_records(options: Options) -> int:
  """Returns the most records that are made of an image."""
  return max(1, options.tiles)


def make_index(
  plan: Plan, written: list[Written], split: str
) -> tuple[dict[str, np.ndarray], list[str]]:
  """Returns the index of a split, in the split's order.

  The tiles of an image follow each other.

  Args:
    plan: the packing.
    written: the results of all shards.
    split: 'train' or 'test'.

  Returns:
    The columns of `split_index.INDEX_DTYPES`, `group`, and the ids, without the
    skipped rows.

  Raises:
    UserError: no row is left.
  """
  # Rows were dealt to the shards in turn; sorting restores their order.
  entries = sorted(
    (
      record.number,
      record.tile,
      result.shard.number,
      record.offset,
      record.length,
    )
    for result in written
    if result.shard.split == split
    for record in result.records
  )
  if not entries:
    # A split has rows, so one at least was skipped.
    reason = next(
      why
      for result in written
      if result.shard.split == split
      for _, why in result.skipped
    )
    raise UserError(
      f'empty split: no image of the {split} split can be used; the first: '
      f'{reason}'
    )
  number, _, shard, offset, length = np.array(entries, np.int64).T
  rows = plan.rows[split][number]
  columns = {
    'shard': shard,
    'offset': offset,
    'length': length,
    'label': plan.table.label[rows],
    'tag': plan.table.tag[rows],
    'group': _group_numbers(plan.table, rows),
  }
  return columns, plan.table.img_path[rows].tolist()


def _group_numbers(table: meta.Meta, rows: np.ndarray) -> np.ndarray:
  """Numbers the groups of a split's records by their first record.

  Args:
    table: the meta CSV.
    rows: int [N], the row of the CSV that each record was made from.

  Returns:
    int32 [N].
  """
  numbers: dict[str | int, int] = {}
  names = rows.tolist()
  if table.group is not None:
    # A row without a group is one by itself: its number stands for it.
    names = [table.group[row] or row for row in names]
  found = [numbers.setdefault(name, len(numbers)) for name in names]
  return np.array(found, np.int32)


def drop_single_groups(
  columns: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, dict[str, np.ndarray]]:
  """Returns the columns of all splits, without `group` if no rows share one.

  Args:
    columns: what `make_index` returns, by split.
  """
  shared = any(
    column['group'].max() + 1 < len(column['group'])
    for column in columns.values()
  )
  return {
    split: {k: v for k, v in of_split.items() if shared or k != 'group'}
    for split, of_split in columns.items()
  }


def _choose_encoding(
  table: meta.Meta, rows: dict[str, np.ndarray], options: Options
) -> Encoding:
  """Keeps the files as they are only if all of them fit."""
  keep = (
    options.format is None
    and not options.tiles
    and options.crop == 'none'
    and _all_fit(table, np.concatenate([*rows.values()]), options.size)
  )
  return Encoding(options.size, options.format or 'png', options.quality, keep)


def _all_fit(table: meta.Meta, rows: np.ndarray, size: int) -> bool:
  """Returns whether every file is a PNG or JPEG of size x size pixels.

  All or none are kept: a network could tell kept images from resized ones.
  Packing itself reports files that are missing or empty.
  """
  for row in rows:
    try:
      with files.open_regular(table.file(row)) as file:
        start = file.read(1 << 18)  # EXIF data may precede the size
    except OSError:
      continue
    if start and probe(start)[1:3] != (size, size):
      return False
  return True
