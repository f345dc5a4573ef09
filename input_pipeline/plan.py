"""What a packing will do: its options, and its rows dealt out to shards."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator

import numpy as np

from input_pipeline import dataset, images, meta
from input_pipeline.errors import UserError
from input_pipeline.faces import Crop
from input_pipeline.shards import Encoding, Row, Shard, Written

# Without --shards.
IMAGES_PER_SHARD = 500
MAX_SHARDS = 128
# More than a record's other fields, framing and index row take.
_RECORD_BYTES = 1024
# More than the metadata takes, and per shard its line in the data card.
_METADATA_BYTES, _SHARD_BYTES = 16384, 256


@dataclasses.dataclass(frozen=True)
class Options:
  """What decides the content of a packed directory, besides the CSV."""

  size: int = 256  # S; images are resized to S x S pixels
  # 'png' or 'jpeg' for all images; None keeps the files if all are S x S.
  format: str | None = None
  quality: int = 95  # of JPEG, 1 to 100
  ratio: float = 0.8  # training share of the released split
  seed: int = 2000  # of the released split
  shards: int | None = None  # per split; None: by the number of images
  on_error: str = 'stop'  # or 'skip', at an unreadable image
  crop: str = 'none'  # or the detector of faces, 'opencv' or 'dlib'
  margin: float = 1.2  # around a face; 1.2: a tenth of the box on each side
  align: str | None = None  # dlib's 68-point file; given, faces are upright
  card: str | None = None  # TOML file for the data card

  def __post_init__(self) -> None:
    """Raises `UserError` for a value out of range."""
    for name, low, high in (
      ('size', 8, 4096),
      ('quality', 1, 100),
      ('ratio', 0.01, 0.99),
      ('seed', 0, 2**32 - 1),
      ('shards', 1, 99999),
      ('margin', 1, 4),
    ):
      value = getattr(self, name)
      if value is not None and not low <= value <= high:
        raise UserError(
          f'bad argument: --{name}={value}; it must lie in {low} .. {high}'
        )
    if self.align is not None and self.crop != 'dlib':
      raise UserError(
        f'bad argument: --align={self.align}; it goes with --crop=dlib alone'
      )

  @property
  def faces(self) -> Crop | None:
    """How faces are cut out; None where whole images are packed."""
    if self.crop == 'none':
      return None
    return Crop(self.crop, self.margin, self.align)


def choose_encoding(
  table: meta.Meta, rows: dict[str, np.ndarray], options: Options
) -> Encoding:
  """How images are stored: their files as they are where all of them fit."""
  keep = (
    options.format is None
    and options.crop == 'none'
    and _all_fit(table, np.concatenate([*rows.values()]), options.size)
  )
  return Encoding(options.size, options.format or 'png', options.quality, keep)


def _all_fit(table: meta.Meta, rows: np.ndarray, size: int) -> bool:
  """Whether every file is a PNG or JPEG of size x size pixels.

  All or none: kept and resized images side by side would be told apart by
  that alone. Missing and empty files are for the packing itself to report.
  """
  for row in rows:
    try:
      with table.file(row).open('rb') as file:
        start = file.read(1 << 18)
    except OSError:
      continue
    if start and images.probe(start)[1:3] != (size, size):
      return False
  return True


def estimated_bytes(
  table: meta.Meta, rows: dict[str, np.ndarray], encoding: Encoding
) -> int:
  """An upper bound of the space that the packed directory takes."""
  count = sum(len(of_split) for of_split in rows.values())
  beside = _METADATA_BYTES + 2 * MAX_SHARDS * _SHARD_BYTES
  if not encoding.keep:
    pixels = encoding.size**2
    per_image = 3 * pixels if encoding.format == 'png' else 2 * pixels
    return count * (per_image + _RECORD_BYTES) + beside
  total = 0
  for of_split in rows.values():
    for row in of_split:
      with contextlib.suppress(OSError):
        total += table.file(row).stat().st_size
  return total + count * _RECORD_BYTES + beside


def deal(
  folder: str,
  split: str,
  table: meta.Meta,
  rows: np.ndarray,
  encoding: Encoding,
  options: Options,
) -> Iterator[Shard]:
  """Deals the rows of a split out to its shards in turn, like cards."""
  by_size = min(MAX_SHARDS, -(-len(rows) // IMAGES_PER_SHARD))
  count = min(options.shards or by_size, len(rows))
  for shard in range(count):
    yield Shard(
      split=split,
      number=shard,
      folder=folder,
      name=dataset.shard_name(split, shard, count),
      rows=tuple(
        Row(
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
      encoding=encoding,
      crop=options.faces,
      skip_unreadable=options.on_error == 'skip',
    )


def make_index(
  table: meta.Meta, rows: np.ndarray, written: list[Written], split: str
) -> dict[str, np.ndarray]:
  """The split's index, in the split's order without the skipped rows.

  Raises:
    UserError: no row is left.
  """
  entries = sorted(
    (record.number, result.shard.number, record.offset, record.length)
    for result in written
    if result.shard.split == split
    for record in result.records
  )
  if not entries:
    raise UserError(f'empty split: no image to {split} could be read')
  number, shard, offset, length = np.array(entries, np.int64).T
  columns = {
    'shard': shard,
    'offset': offset,
    'length': length,
    'label': table.label[rows[number]],
    'tag': table.tag[rows[number]],
  }
  return {k: v.astype(dataset.INDEX_DTYPES[k]) for k, v in columns.items()}
