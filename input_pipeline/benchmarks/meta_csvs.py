"""Writes the meta CSVs of a benchmark from the images that were chosen."""

import pathlib
from collections.abc import Mapping, Sequence

from input_pipeline import meta
from input_pipeline.benchmarks import image_tree, overview, videos
from input_pipeline.benchmarks.benchmark_class import BenchmarkClass
from input_pipeline.benchmarks.picks import Pick, ProtocolCsv
from input_pipeline.errors import UserError
from input_pipeline.forgery_types import FORGERY_LABELS, REAL
from input_pipeline.meta import LABELLED
from input_pipeline.text_tables import counted


def write_meta_csvs(
  out: pathlib.Path,
  csvs: Sequence[ProtocolCsv],
  *,
  how: str | None,
  on_error: str,
  split_column: bool,
  group_column: bool,
) -> list[str]:
  """Extracts frames, gathers the files and writes the CSVs, in this order.

  Args:
    out: the folder of the CSVs; it is made if need be.
    csvs: their content.
    how: 'link', 'copy' or None, as for `image_tree.gather_images`.
    on_error: 'stop' or 'skip' at a file that cannot be read.
    split_column: whether the CSVs have a column `split`.
    group_column: whether they have a column `group`, the video of a frame. A
      video must then be on one side of the split.

  Returns:
    Lines on what was skipped, found twice and written.

  Raises:
    UserError: a file cannot be read or written.
  """
  try:
    out.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f'cannot make the folder: --out {out} ({error.strerror}); name another'
    ) from error
  picks = [pick for csv in csvs for pick in csv.picks]
  bad = videos.extract_frames([pick.image for pick in picks], on_error)
  # Frames exist only from here on, so that files are checked afterwards.
  rest = [pick for pick in picks if pick.image.path not in bad]
  bad |= image_tree.check_files(rest, on_error)
  rest = [pick for pick in rest if pick.image.path not in bad]
  if not rest:
    raise UserError(
      'no image is left: every class is missing or unreadable; see what '
      '--dry_run prints'
    )
  paths = image_tree.gather_images(rest, out, how)
  lines = [f'skipped: {what}' for what in bad.values()]
  if bad:
    lines.append(
      f'{counted(len(bad), "image")} skipped and not replaced by others'
    )
  lines += overview.equal_file_lines(rest)
  for csv in csvs:
    kept = [pick for pick in csv.picks if pick.image.path not in bad]
    columns = {'split': split_column, 'group': group_column}
    lines += _write_csv(out / csv.name, csv, kept, paths, columns)
  return lines


def _write_csv(
  file: pathlib.Path,
  csv: ProtocolCsv,
  picks: Sequence[Pick],
  paths: Mapping[str, str],
  columns: Mapping[str, bool],
) -> list[str]:
  lines = []
  entries = {pick.entry for pick in picks}
  present = [entry for entry in csv.classes if entry in entries]
  if left_out := [e.name for e in csv.classes if e not in entries]:
    lines.append(
      f'{csv.name}: ids differ from the published classes, because these are '
      f'left out: {", ".join(left_out)}'
    )
  labelled = {pick.entry for pick in picks if pick.tag == LABELLED}
  for entry in present:
    if entry.known and entry not in labelled:
      raise UserError(
        f'known class {entry.name} has no labelled image left: get more of '
        'its images, or remove all of them and give --allow_missing'
      )
  done = 'replaced' if file.exists() else 'wrote'
  meta.write_meta(file, _rows(picks, present, paths, columns))
  return [*lines, f'{done} {file}: {len(picks)} images']


def _rows(
  picks: Sequence[Pick],
  classes: Sequence[BenchmarkClass],
  paths: Mapping[str, str],
  columns: Mapping[str, bool],
) -> list[dict[str, object]]:
  """Returns the CSV's rows by label, in the order drawn within a class."""
  labels = {entry: label for label, entry in enumerate(classes)}
  rows = []
  for pick in sorted(picks, key=lambda pick: labels[pick.entry]):
    entry, image = pick.entry, pick.image
    row: dict[str, object] = {
      'img_name': image.img_name,
      'label': labels[entry],
      'method': entry.method,
      'forgery_type': entry.forgery_type,
      'forgery_label': FORGERY_LABELS[entry.forgery_type],
      'face_type': int(entry.forgery_type == REAL),
      'tag': pick.tag,
      'code': entry.code,
      'image_source': image.image_source,
      'img_path': paths[image.path],
      'compression': image.compression,
      'frame_idx': image.frame_idx,
    }
    further = {'split': pick.split, 'group': image.video}
    rows.append(row | {k: v for k, v in further.items() if columns[k]})
  return rows
