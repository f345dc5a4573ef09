"""The last step: files checked and placed, CSVs written."""

import pathlib
from collections.abc import Mapping, Sequence

from input_pipeline import meta
from input_pipeline.benchmarks import place, report, videos
from input_pipeline.benchmarks.select import Pick
from input_pipeline.benchmarks.tables import ForgeryClass
from input_pipeline.errors import UserError
from input_pipeline.forgery_types import FORGERY_LABELS, REAL
from input_pipeline.meta import LABELLED


def write(
  out: pathlib.Path,
  made: Mapping[str, tuple[Sequence[ForgeryClass], Sequence[Pick]]],
  *,
  how: str | None,
  on_error: str,
  split_column: bool,
) -> list[str]:
  """Extracts frames, places files and writes the CSVs, in this order.

  Args:
    out: folder of the CSVs; made if need be.
    made: by the CSV's name, the classes in the order of their ids and the
      images.
    how: 'link', 'copy' or None, as `place.place` takes it.
    on_error: 'stop' or 'skip' at a file that cannot be read.
    split_column: whether the CSVs say what trains and what tests.

  Returns:
    What was skipped, what is there twice, what was written.

  Raises:
    UserError: a file cannot be read or written.
  """
  picks = [pick for _, of_table in made.values() for pick in of_table]
  try:
    out.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f'cannot make {out}: {error.strerror}') from error
  bad = videos.extract([pick.image for pick in picks], on_error)
  rest = [pick for pick in picks if pick.image.path not in bad]
  bad |= place.check(rest, on_error)
  rest = [pick for pick in rest if pick.image.path not in bad]
  if not rest:
    raise UserError('no image is left: every class is missing or unreadable')
  paths = place.place(rest, out, how)
  lines = [f'skipped: {what}' for what in bad.values()]
  if bad:
    lines.append(f'{len(bad)} images skipped; nothing stands in for them')
  lines += report.copies(rest)
  for name, (classes, of_table) in made.items():
    kept = [pick for pick in of_table if pick.image.path not in bad]
    present = [
      entry for entry in classes if any(pick.entry == entry for pick in kept)
    ]
    if left_out := [e.name for e in classes if e not in present]:
      lines.append(
        f'{name}: ids differ from the published classes: left out are '
        f'{", ".join(left_out)}'
      )
    labelled = {pick.entry for pick in kept if pick.tag == LABELLED}
    for entry in present:
      if entry.known and entry not in labelled:
        raise UserError(
          f'known class {entry.name} has no labelled image left: get more of '
          'it, or remove all of it and give --allow_missing'
        )
    done = 'replaced' if (out / name).exists() else 'wrote'
    meta.write(out / name, _rows(kept, present, paths, split_column))
    lines.append(f'{done} {out / name}: {len(kept)} images')
  return lines


def _rows(
  picks: Sequence[Pick],
  classes: Sequence[ForgeryClass],
  paths: Mapping[str, str],
  split_column: bool,
) -> list[dict[str, object]]:
  """Rows by label, in the order drawn within a class."""
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
    rows.append(row | {'split': pick.split} if split_column else row)
  return rows
