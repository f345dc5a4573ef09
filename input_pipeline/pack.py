"""Packs the images of a meta CSV into TFRecord shards.

`python -m input_pipeline.pack --meta CSV --out DIR` writes beside DIR first and
renames at the end, so a directory of that name is always a finished one; at a
URL the description is written last and marks it. What cannot be packed is never
replaced: `images` says what counts as unreadable, and a full disk, a dead
process or Ctrl-C leave nothing behind.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import sys

import numpy as np

from input_pipeline import (
  beam,
  data_card,
  dataset,
  detections,
  faces,
  meta,
  outputs,
  processes,
  splits,
  storage,
)
from input_pipeline.description import describe, write_tfds_metadata
from input_pipeline.errors import UserError, one_line_errors
from input_pipeline.plan import (
  Options,
  choose_encoding,
  deal,
  estimated_bytes,
  make_index,
)
from input_pipeline.shards import Shard, Written
from input_pipeline.summary import summary

LOCAL = 'local'


@dataclasses.dataclass(frozen=True)
class Resources:
  """What packing runs on; the result does not depend on it."""

  workers: int | None = None  # processes; None: one per core
  runner: str = LOCAL  # or one of `beam.RUNNERS`
  beam_options: str = ''
  detections: str | None = None  # None: beside the output

  def __post_init__(self) -> None:
    """Raises `UserError` for what cannot be."""
    if self.workers is not None and self.workers < 1:
      raise UserError(
        f'bad argument: --workers={self.workers}; it must be 1 or more'
      )


def main() -> None:
  """The command line."""
  arguments = vars(_parser().parse_args())
  with one_line_errors():
    try:
      meta_csv, out = arguments.pop('meta'), arguments.pop('out')
      names = [field.name for field in dataclasses.fields(Resources)]
      resources = Resources(**{name: arguments.pop(name) for name in names})
      write(meta_csv, out, Options(**arguments), resources)
    except KeyboardInterrupt:
      print('interrupted: nothing was packed', file=sys.stderr)
      sys.exit(130)
    except OSError as error:
      raise UserError(f'{error.filename}: {error.strerror}') from error


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog='python -m input_pipeline.pack',
    description='Packs the images of a meta CSV into TFRecord shards. Where '
    'every image already is size x size, 8-bit RGB PNG and JPEG files keep '
    'their bytes, unless --format or --crop is given.',
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
  )

  def add(name: str, kind: type, what: str, *choices: str) -> None:
    parser.add_argument(
      f'--{name}',
      type=kind,
      choices=choices or None,
      default=defaults[name],
      help=what,
    )

  defaults = vars(Options()) | vars(Resources())
  required = parser.add_argument
  required('--meta', required=True, help='the meta CSV')
  required('--out', required=True, help='directory to make, or a URL (gs://)')
  add('size', int, 'pixels')
  add(
    'format',
    str,
    'encode every image so; None: keep the files if all fit, else png',
    *('png', 'jpeg'),
  )
  add('quality', int, 'of JPEG, 1-100')
  add('ratio', float, 'training share, where the CSV has no split column')
  add('seed', int, 'of the split')
  add('shards', int, 'per split; None: by the number of images')
  add('on_error', str, 'at an unreadable image', 'stop', 'skip')
  add(
    'crop',
    str,
    'cut faces out with this detector; the papers use dlib',
    *('none', 'opencv', 'dlib'),
  )
  add('margin', float, 'around the face; 1.2: a tenth of it on each side')
  add('align', str, 'turn faces upright: the 68-point file of dlib')
  add('detections', str, 'file of faces found; None: beside the output')
  add('card', str, 'TOML file for the data card')
  add('workers', int, 'processes; None: one per core')
  add('runner', str, 'what runs it', LOCAL, *beam.RUNNERS)
  add('beam_options', str, "of the runner, such as '--flink_master=host:8081'")
  return parser


def pack(
  meta_csv: str | os.PathLike,
  out: str | os.PathLike,
  options: Options | None = None,
  *,
  workers: int | None = None,
) -> dataset.PackedDataset:
  """Packs as `write` does, in processes of this machine; opens the result."""
  write(meta_csv, out, options, Resources(workers=workers))
  return dataset.open_dataset(out)


def write(
  meta_csv: str | os.PathLike,
  out: str | os.PathLike,
  options: Options | None = None,
  resources: Resources | None = None,
) -> None:
  """Packs a meta CSV's images into `out`.

  A finished `out` made of the same CSV with the same options is reused.

  Args:
    meta_csv: the meta CSV.
    out: the directory to make, or a URL.
    options: the defaults if None.
    resources: the defaults if None.

  Raises:
    UserError: a bad CSV, an unreadable image, a class without training images,
      too little space, `out` in the way or not writable, something that is
      not installed.
  """
  options, resources = options or Options(), resources or Resources()
  processes.silence_decoders()
  place = _place(out)
  table, card = meta.read(meta_csv), data_card.read(options.card)
  if _finished(place, table, options):
    print(f'{place} is packed already from this CSV with these arguments')
    return
  classes = meta.classes(table)
  train, test = splits.split_rows(table, ratio=options.ratio, seed=options.seed)
  rows = {'train': train, 'test': test}
  _check_trainable(table, classes, table.label[train], table.tag[train])
  encoding = choose_encoding(table, rows, options)
  with _target(place, estimated_bytes(table, rows, encoding)) as target:
    shards = [
      shard
      for split in rows
      for shard in deal(
        target.folder, split, table, rows[split], encoding, options
      )
    ]
    written = _write_shards(shards, place, options, resources)
    indices = {s: make_index(table, rows[s], written, s) for s in rows}
    train_index = indices['train']
    _check_trainable(table, classes, train_index['label'], train_index['tag'])
    for split, index in indices.items():
      path = target.staging / dataset.index_name(split)
      np.savez(path, allow_pickle=False, **index)
    write_tfds_metadata(target.staging, encoding.size, classes, written, card)
    description = describe(
      os.path.basename(place),
      table,
      dataclasses.asdict(options),
      encoding,
      classes,
      indices,
      written,
    )
    readme = data_card.write(description, card)
    (target.staging / 'README.md').write_text(readme, encoding='utf-8')
    text = json.dumps(description, indent=2, ensure_ascii=False)
    path = target.staging / dataset.DESCRIPTION
    path.write_text(text + '\n', encoding='utf-8')
    target.finish()
  print(summary(description))


def _place(out: str | os.PathLike) -> str:
  if storage.is_remote(out):
    return os.fspath(out).rstrip('/')
  return os.path.abspath(out)


def _finished(out: str, table: meta.Meta, options: Options) -> bool:
  """Whether `out` already holds what is asked for; an error if it is else."""
  remedy = 'remove it or choose another --out'
  if storage.is_remote(out):
    content = storage.read_bytes(f'{out}/{dataset.DESCRIPTION}')
    if content is None:
      return False
    description = dataset.parse_description(content, out)
  else:
    folder = pathlib.Path(out)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
      return False
    if not (folder / dataset.DESCRIPTION).is_file():
      raise UserError(f'in the way: {out} is not a packed dataset; {remedy}')
    description = dataset.open_dataset(out).description
  made = description.get('made', {})
  if made.get('meta_sha256') != table.sha256:
    raise UserError(f'in the way: {out} was packed from another CSV; {remedy}')
  # An argument that was not there yet had its default.
  before = dataclasses.asdict(Options()) | made.get('arguments', {})
  wanted = dataclasses.asdict(options)
  changed = [k for k, v in wanted.items() if before[k] != v]
  if changed:
    values = ', '.join(f'--{k}={before[k]}' for k in changed)
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


def _target(
  out: str, needed: int
) -> contextlib.AbstractContextManager[outputs.Target]:
  if storage.is_remote(out):
    return storage.target(out, dataset.DESCRIPTION, dataset.is_packed_name)
  outputs.check_space(pathlib.Path(out), needed)
  return outputs.local_target(pathlib.Path(out))


def _write_shards(
  shards: list[Shard], out: str, options: Options, resources: Resources
) -> list[Written]:
  """Writes the shards; the faces found are kept whatever happens."""
  path = resources.detections or f'{out}.detections.jsonl'
  detector, known = '', {}
  if options.faces is not None:
    detector = faces.detector(options.faces).name
    known = detections.load(path, detector)
  found = {}

  def finished(written: Written) -> None:
    found.update(written.detected)

  try:
    if resources.runner == LOCAL:
      workers = resources.workers or os.cpu_count() or 1
      return processes.write_shards(shards, workers, known, finished)
    return beam.write_shards(
      shards, resources.runner, resources.beam_options, path, finished
    )
  finally:
    detections.save(path, detector, found)


if __name__ == '__main__':
  main()
