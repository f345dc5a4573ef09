"""Packs the images of a meta CSV into TFRecord shards.

`python -m input_pipeline.pack --meta CSV --out DIR` writes beside DIR first and
renames at the end, so a directory of that name is always a finished one.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Iterator

import numpy as np

from input_pipeline import dataset, images, meta, outputs, splits
from input_pipeline.description import describe, summary, write_tfds_metadata
from input_pipeline.errors import UserError, one_line_errors
from input_pipeline.shards import (
  Encoding,
  Row,
  Shard,
  Written,
  silence_decoders,
  write_shards,
)

# Without --shards.
IMAGES_PER_SHARD = 500
MAX_SHARDS = 128
# More than a record's other fields, framing and index row take.
_RECORD_BYTES = 1024


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

  def __post_init__(self) -> None:
    """Raises `UserError` for a value out of range."""
    for name, low, high in (
      ('size', 8, 4096),
      ('quality', 1, 100),
      ('ratio', 0.01, 0.99),
      ('seed', 0, 2**32 - 1),
      ('shards', 1, 99999),
    ):
      value = getattr(self, name)
      if value is not None and not low <= value <= high:
        raise UserError(
          f'bad argument: --{name}={value}; it must lie in {low} .. {high}'
        )


def main() -> None:
  """The command line."""
  parser = argparse.ArgumentParser(
    prog='python -m input_pipeline.pack',
    description='Packs the images of a meta CSV into TFRecord shards. Where '
    'every image already is size x size, 8-bit RGB PNG and JPEG files keep '
    'their bytes, unless --format is given.',
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
  )
  default = Options()
  add = parser.add_argument
  add('--meta', required=True, help='the meta CSV')
  add('--out', required=True, help='directory to make')
  add('--size', type=int, default=default.size, help='pixels')
  add(
    '--format',
    choices=('png', 'jpeg'),
    help='encode every image so; None: keep the files if all fit, else png',
  )
  add('--quality', type=int, default=default.quality, help='of JPEG, 1-100')
  add(
    '--ratio',
    type=float,
    default=default.ratio,
    help='training share, where the CSV has no split column',
  )
  add('--seed', type=int, default=default.seed, help='of the split')
  add('--shards', type=int, help='per split; None: by the number of images')
  add(
    '--on_error',
    choices=('stop', 'skip'),
    default=default.on_error,
    help='at an unreadable image',
  )
  add('--workers', type=int, help='processes; None: one per core')
  arguments = vars(parser.parse_args())
  with one_line_errors():
    try:
      meta_csv, out = arguments.pop('meta'), arguments.pop('out')
      workers = arguments.pop('workers')
      pack(meta_csv, out, Options(**arguments), workers=workers)
    except KeyboardInterrupt:
      print('interrupted: nothing was packed', file=sys.stderr)
      sys.exit(130)
    except OSError as error:
      raise UserError(f'{error.filename}: {error.strerror}') from error


def pack(
  meta_csv: str | os.PathLike,
  out: str | os.PathLike,
  options: Options | None = None,
  *,
  workers: int | None = None,
) -> dataset.PackedDataset:
  """Packs a meta CSV's images into `out` and opens the result.

  A finished `out` made of the same CSV with the same options is reused.

  Args:
    meta_csv: the meta CSV.
    out: the directory to make.
    options: the defaults if None.
    workers: processes; None: one per core. The result does not depend on it.

  Raises:
    UserError: a bad CSV, an unreadable image, a class without training images,
      too little space, `out` in the way or not writable.
  """
  options = options or Options()
  workers = os.cpu_count() or 1 if workers is None else workers
  if workers < 1:
    raise UserError(f'bad argument: --workers={workers}; it must be 1 or more')
  silence_decoders()
  out = pathlib.Path(os.path.abspath(out))
  table = meta.read(meta_csv)
  if _finished(out, table, options):
    print(f'{out} is packed already from this CSV with these arguments')
    return dataset.open_dataset(out)
  classes = meta.classes(table)
  train, test = splits.split_rows(table, ratio=options.ratio, seed=options.seed)
  rows = {'train': train, 'test': test}
  _check_trainable(table, classes, table.label[train], table.tag[train])
  encoding = _encoding(table, rows, options)
  outputs.check_space(out, _estimated_bytes(table, rows, encoding))
  with outputs.temporary(out) as directory:
    shards = [
      shard
      for split in rows
      for shard in _plan(
        directory, split, table, rows[split], encoding, options
      )
    ]
    written = write_shards(shards, workers)
    indices = {s: _index(table, rows[s], written, s) for s in rows}
    train_index = indices['train']
    _check_trainable(table, classes, train_index['label'], train_index['tag'])
    for split, index in indices.items():
      path = directory / dataset.index_name(split)
      np.savez(path, allow_pickle=False, **index)
    write_tfds_metadata(directory, encoding.size, classes, written)
    description = describe(
      out.name,
      table,
      dataclasses.asdict(options),
      encoding,
      classes,
      indices,
      written,
    )
    text = json.dumps(description, indent=2, ensure_ascii=False)
    (directory / dataset.DESCRIPTION).write_text(text + '\n', encoding='utf-8')
    outputs.publish(directory, out)
  print(summary(description))
  return dataset.open_dataset(out)


def _finished(out: pathlib.Path, table: meta.Meta, options: Options) -> bool:
  """Whether `out` already holds what is asked for; an error if it is else."""
  if not out.exists() or (out.is_dir() and not any(out.iterdir())):
    return False
  remedy = 'remove it or choose another --out'
  if not (out / dataset.DESCRIPTION).is_file():
    raise UserError(f'in the way: {out} is not a packed data set; {remedy}')
  made = dataset.open_dataset(out).description.get('made', {})
  if made.get('meta_sha256') != table.sha256:
    raise UserError(f'in the way: {out} was packed from another CSV; {remedy}')
  before = made.get('arguments', {})
  wanted = dataclasses.asdict(options)
  changed = [k for k, v in wanted.items() if before.get(k) != v]
  if changed:
    values = ', '.join(f'--{k}={before.get(k)}' for k in changed)
    raise UserError(f'in the way: {out} was packed with {values}; {remedy}')
  return True


def _check_trainable(
  table: meta.Meta,
  classes: tuple[meta.ClassInfo, ...],
  label: np.ndarray,
  tag: np.ndarray,
) -> None:
  lacking = dataset.empty_class(classes, label, tag)
  if lacking:
    raise UserError(
      f'{lacking}: {table.path}: give it more images or drop it from the CSV'
    )


def _encoding(
  table: meta.Meta, rows: dict[str, np.ndarray], options: Options
) -> Encoding:
  keep = options.format is None and _all_fit(
    table, np.concatenate([*rows.values()]), options.size
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


def _estimated_bytes(
  table: meta.Meta, rows: dict[str, np.ndarray], encoding: Encoding
) -> int:
  """An upper bound of the space that the packed directory takes."""
  count = sum(len(of_split) for of_split in rows.values())
  if not encoding.keep:
    pixels = encoding.size**2
    per_image = 3 * pixels if encoding.format == 'png' else 2 * pixels
    return count * (per_image + _RECORD_BYTES)
  total = 0
  for of_split in rows.values():
    for row in of_split:
      with contextlib.suppress(OSError):
        total += table.file(row).stat().st_size
  return total + count * _RECORD_BYTES


def _plan(
  directory: pathlib.Path,
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
      path=directory / dataset.shard_name(split, shard, count),
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
      skip_unreadable=options.on_error == 'skip',
    )


def _index(
  table: meta.Meta, rows: np.ndarray, written: list[Written], split: str
) -> dict[str, np.ndarray]:
  """The split's index, in the split's order without the skipped rows."""
  entries = sorted(
    (number, result.shard.number, offset, length)
    for result in written
    if result.shard.split == split
    for number, offset, length in zip(
      result.number, result.offset, result.length, strict=True
    )
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


if __name__ == '__main__':
  main()
