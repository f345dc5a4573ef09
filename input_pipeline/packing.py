"""Packs the images of a meta CSV; `pack` is the command for it."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shlex

from input_pipeline import (
  beam,
  detections,
  faces,
  files,
  meta,
  object_store,
  processes,
)
from input_pipeline.card_page import card_text, unused_sources
from input_pipeline.data_card import read_card
from input_pipeline.dataset import open_dataset
from input_pipeline.description import describe
from input_pipeline.errors import UserError
from input_pipeline.escape import terminal, terminal_lines
from input_pipeline.output_folders import (
  OutputFolder,
  check_space,
  clear_leftovers,
  local_output,
)
from input_pipeline.pack_options import LOCAL, Options, Resources
from input_pipeline.packed_format import (
  DESCRIPTION,
  damaged_file,
  index_name,
  is_packed_name,
  parse_description,
)
from input_pipeline.plan import (
  Plan,
  check_trainable,
  deal_rows,
  drop_single_groups,
  estimated_bytes,
  face_crop,
  make_index,
  make_plan,
)
from input_pipeline.shards import Shard, Written
from input_pipeline.split_index import write_index
from input_pipeline.storage import read_bytes, remote_output
from input_pipeline.summary import summary
from input_pipeline.tfds_metadata import write_tfds_metadata


def write_pack(
  meta_csv: str | os.PathLike,
  out: str | os.PathLike,
  options: Options | None = None,
  resources: Resources | None = None,
) -> None:
  """Packs a meta CSV's images into `out`, and prints a summary.

  A complete `out` that was made from the same CSV with the same options is
  left as it is.

  Args:
    meta_csv: the meta CSV.
    out: the directory to make, or a URL.
    options: the defaults if None.
    resources: the defaults if None.

  Raises:
    UserError: the CSV is bad, an image is unreadable, a class has no training
      image, there is too little space, `out` holds something else or is not
      writable, or something is not installed.
  """
  options, resources = options or Options(), resources or Resources()
  processes.silence_decoders()
  object_store.check_slashes(out, '--out')
  out = (
    os.fspath(out).rstrip('/')
    if object_store.is_remote(out)
    else files.absolute(out, '--out')
  )
  table, card = meta.read_meta(meta_csv), read_card(options.card)
  if _is_finished(out, table, options):
    if not object_store.is_remote(out):
      clear_leftovers(pathlib.Path(out))
    print(
      terminal(f'{out} is packed already from this CSV with these arguments')
    )
    return
  plan = make_plan(table, card, options)
  with _open_output(out, estimated_bytes(plan)) as output:
    shards = [
      shard
      for split in plan.rows
      for shard in deal_rows(plan, split, output.shards)
    ]
    written = _write_shards(shards, out, options, resources)
    name = os.path.basename(out)
    description = _write_metadata(output.staging, name, plan, written)
    if not object_store.is_remote(out):
      open_dataset(output.staging)  # checks what was written
    output.finish()
  print(terminal_lines(summary(description)))
  print(
    terminal(
      f'written: {out}; train with --config.data.path={shlex.quote(out)}'
    )
  )
  if unused := unused_sources(description, card):
    print(
      terminal(
        f'not used of {options.card}: the sources {", ".join(unused)}; no '
        'image_source in the CSV has these names'
      )
    )


def _is_finished(out: str, table: meta.Meta, options: Options) -> bool:
  """Returns whether `out` is complete.

  Raises:
    UserError: `out` holds something else.
  """
  remedy = 'remove it or choose another --out'
  if object_store.is_remote(out):
    content = read_bytes(f'{out}/{DESCRIPTION}')
    if content is None:
      return False
    description = parse_description(content, out)
  else:
    folder = pathlib.Path(out)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
      return False
    if not (folder / DESCRIPTION).is_file():
      raise UserError(
        f'cannot write {out}: it exists and is not a packed dataset; {remedy}'
      )
    description = open_dataset(out).description
    # Shards were checked; one whose images were all skipped is empty.
    for file in sorted(folder.iterdir()):
      ours = is_packed_name(file.name) and '.tfrecord-' not in file.name
      if ours and not file.stat().st_size:
        raise damaged_file(file, 'it is empty')
  made = description.get('made', {})
  if made.get('meta_sha256') != table.sha256:
    raise UserError(
      f'cannot write {out}: it was packed from another CSV; {remedy}'
    )
  # Packs made before an option existed lack it; they were made with its
  # default.
  before = dataclasses.asdict(Options()) | made.get('arguments', {})
  wanted = dataclasses.asdict(options)
  changed = [k for k, v in wanted.items() if before[k] != v]
  if changed:
    values = ', '.join(f'--{k}={before[k]}' for k in changed)
    raise UserError(
      f'cannot write {out}: it was packed with {values}; {remedy}'
    )
  return True


def _open_output(
  out: str, needed: int
) -> contextlib.AbstractContextManager[OutputFolder]:
  if object_store.is_remote(out):
    return remote_output(out, DESCRIPTION, is_packed_name)
  check_space(pathlib.Path(out), needed)
  return local_output(pathlib.Path(out))


def _write_shards(
  shards: list[Shard], out: str, options: Options, resources: Resources
) -> list[Written]:
  """Writes the shards. New detections are saved even after an error."""
  path = resources.detections or f'{out}.detections.jsonl'
  detector, known = '', {}
  crop = face_crop(options)
  if crop is not None:
    detector = faces.detector(crop).name
    known = detections.load_detections(path, detector)
  found = {}

  def save_detected(written: Written) -> None:
    found.update(written.detected)

  try:
    if resources.runner == LOCAL:
      workers = resources.workers or os.cpu_count() or 1
      return processes.write_shards(shards, workers, known, save_detected)
    return beam.write_shards_with_beam(
      shards, resources.runner, resources.beam_options, path, save_detected
    )
  finally:
    detections.save_detections(path, detector, found)


def _write_metadata(
  staging: pathlib.Path, name: str, plan: Plan, written: list[Written]
) -> dict:
  """Writes all files but the shards; returns the description."""
  columns, ids = {}, {}
  for split in plan.rows:
    columns[split], ids[split] = make_index(plan, written, split)
  columns = drop_single_groups(columns)
  for split in plan.rows:
    write_index(staging / index_name(split), columns[split], ids[split])
  # Skipped images may have left a class without any.
  train = columns['train']
  check_trainable(plan.table, plan.classes, train['label'], train['tag'])
  write_tfds_metadata(staging, plan, written)
  description = describe(name, plan, columns, written)
  readme = card_text(description, plan.card)
  (staging / 'README.md').write_text(readme, encoding='utf-8')
  text = json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False)
  (staging / DESCRIPTION).write_text(text + '\n', encoding='utf-8')
  return description
