"""Attributes new images: names the source of every image of a scan."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.experimental import multihost_utils

from input_pipeline.beam_runner import run_with_beam
from input_pipeline.errors import UserError
from input_pipeline.escape import terminal
from input_pipeline.image_folders import FolderScan
from input_pipeline.object_store import is_remote
from input_pipeline.pack_options import LOCAL
from input_pipeline.progress_bars import progress_bar
from input_pipeline.text_tables import counted
from owdfa_jax.evaluation.report_files import NEW_ATTRIBUTIONS_FILE
from owdfa_jax.evaluation.source_names import no_real_source
from owdfa_jax.experiment import Experiment
from owdfa_jax.inference.answers import COLUMNS, Answer
from owdfa_jax.inference.made_by import answers_made_by
from owdfa_jax.inference.part_worker import answer_part, task_of
from owdfa_jax.inference.parts import IMAGES_PER_PART, Parts, Row
from owdfa_jax.inference.run import TrainedRun
from owdfa_jax.inference.summary import Summary
from owdfa_jax.inference.table_lock import lock_table
from owdfa_jax.inference.tables import NUM_NEAREST, write_table
from owdfa_jax.inference.unfinished import UnfinishedTable
from owdfa_jax.training.progress import say


def attribute(
  experiment: Experiment,
  scan: FolderScan,
  max_pixels: int | None = None,
  out: str | None = None,
  *,
  stability: bool = False,
  nearest: int = NUM_NEAREST,
  frames: bool = False,
  faces: bool = False,
  runner: str = LOCAL,
  beam_options: str = '',
) -> int:
  """Classifies images with a checkpoint of a run, and writes a table.

  The answers are those of `TrainedRun.stream`. A line of the table is an image,
  or another file with the reason that it is none. Prints how many images each
  source got. An attribution that was interrupted goes on where it stopped.

  Args:
    experiment: a run with a checkpoint (`eval.checkpoint`).
    scan: the images, and the other files.
    max_pixels: the most pixels of an image; None: as in packing.
    out: the table, a `.csv`, `.jsonl` or `.parquet` file; None for
      `new_attributions.csv` in the workdir, which is replaced.
    stability: whether each image is also seen in mild views, see
      `TrainedRun.predict`.
    nearest: how many training images each line names.
    frames: whether each frame of a video has a line too, before that of the
      video.
    faces: whether each face has a line too, before that of its image or frame.
    runner: 'local', or the runner of Apache Beam whose workers answer.
    beam_options: further options of Beam, as on a command line.

  Returns:
    An exit status: 0, or 1 if some image could not be read. Files that are not
    images do not count.

  Raises:
    UserError: there is no checkpoint, the table cannot be written, or `faces`
      was asked of a run that was not trained on faces, or the runner fails.
  """
  run = TrainedRun(experiment)
  if run.remark:
    say(f'warning: {run.remark}', always=True)
  path = out or experiment.workdir / NEW_ATTRIBUTIONS_FILE
  options = {
    'max_pixels': max_pixels,
    'stability': stability,
    'nearest': nearest,
    'faces': faces,
  }
  if runner != LOCAL and is_remote(path):
    raise UserError(
      f'no place for the answers of the workers: --runner={runner}: the table '
      f'is at {path}; give --out=FILE on a shared file system'
    )
  with lock_table(path):
    summary = write_attribution(
      run, experiment, scan, path, options, frames, runner, beam_options
    )
  if jax.process_index() > 0:
    return 0
  _print(summary, path, experiment)
  return 1 if summary.errors else 0


def write_attribution(
  run: TrainedRun,
  experiment: Experiment,
  scan: FolderScan,
  path: str | os.PathLike[str],
  options: Mapping[str, Any],
  frames: bool = False,
  runner: str = LOCAL,
  beam_options: str = '',
) -> Summary:
  """Writes the table of an attribution; goes on with one that was interrupted.

  Args:
    run: what answers.
    experiment: the same run.
    scan: the images, and the other files.
    path: of the table; a file that is there is replaced.
    options: those of `TrainedRun.stream`.
    frames: as for `attribute`.
    runner: as for `attribute`.
    beam_options: as for `attribute`.

  Returns:
    The counts of the answers, in process 0.

  Raises:
    UserError: as `attribute`.
  """
  made_by = answers_made_by(run, experiment, {**options, 'frames': frames})
  parts = Parts(path)
  table = _answers_so_far(path, parts, made_by)
  images, problems = _left(scan, table.done)
  summary = Summary(scan, run.outputs, run.num_known)
  if jax.process_index() > 0:
    for _ in run.stream(images, **options):
      pass  # it computes its share of each batch
    return summary
  if table.done:
    done = counted(len(table.done), 'file')
    say(f'goes on: {done} with an answer in {table.path}')
  if runner == LOCAL:
    rows = _rows_here(run.stream(images, **options), frames, options['faces'])
  else:
    task = task_of(experiment, made_by, options, frames)
    rows = _rows_of_runner(parts, task, images, runner, beam_options)
  try:
    with table:
      files, number = (
        _in_order(images, problems, rows),
        len(images) + len(problems),
      )
      lines = _rows_of_table(table, files, number, summary)
      write_table(path, COLUMNS, lines)
  except KeyboardInterrupt:
    raise KeyboardInterrupt(
      'the same command goes on with the images that have no answer yet'
    ) from None
  table.remove()
  parts.remove()
  return summary


def _answers_so_far(
  path: str | os.PathLike[str], parts: Parts, made_by: Mapping[str, Any]
) -> UnfinishedTable:
  """Returns the unfinished table at a path, with the answers of its parts."""
  if jax.process_index() == 0:
    parts.take_finished(made_by)
  multihost_utils.sync_global_devices('parts are taken')
  table = UnfinishedTable(path, made_by)
  # The other processes of a pod have read it before process 0 writes.
  multihost_utils.sync_global_devices('answers are read')
  return table


def _rows_of_table(
  table: UnfinishedTable,
  files: Iterable[list[Row]],
  number: int,
  summary: Summary,
) -> Iterator[Row]:
  """Yields the lines of a table: those so far, then those of the other files.

  Lines are added to the unfinished table, and counted, as they are asked for.

  Args:
    table: the unfinished table, open.
    files: the lines of each file without an answer.
    number: of these files.
    summary: counts the answers.
  """
  done = len(table.done)
  with progress_bar(
    'attribute', done + number, 'file', initial=done
  ) as progress:
    for row in table.rows():
      summary.count(row)
      yield row
    for rows in files:
      for row in rows:
        table.add(row)
        summary.count(row)
        yield row
      progress.update()


def _print(
  summary: Summary,
  path: str | os.PathLike[str],
  experiment: Experiment,
) -> None:
  """Prints what was found, and what to beware of."""
  print(summary.text(path))
  for error in summary.errors:
    print(terminal(error), file=sys.stderr)
  for line in summary.warnings(experiment.dataset.description):
    print(line)
  line = no_real_source(experiment.dataset)
  if line and summary.has_answers:
    print(f'warning: {line}')


def _left(scan: FolderScan, done: set[str]) -> tuple[list[str], dict[str, str]]:
  """Returns the images without an answer, sorted, and the other files."""
  problems = {**scan.others, **scan.unreadable}
  images = sorted({*scan.images} - done - problems.keys())
  return images, {k: v for k, v in problems.items() if k not in done}


def _rows_here(
  answers: Iterable[Answer], frames: bool, faces: bool
) -> Iterator[list[Row]]:
  """Yields the lines of each image, computed in this process."""
  for answer in answers:
    lines = answer.lines(frames=frames, faces=faces)
    yield [line.columns() | {'side': line.side} for line in lines]


def _rows_of_runner(
  parts: Parts,
  task: Mapping[str, Any],
  images: Sequence[str],
  runner: str,
  beam_options: str,
) -> Iterator[list[Row]]:
  """Returns the lines of each image, once the workers of a runner are done."""
  paths = parts.write(task, images, IMAGES_PER_PART)
  say(f'{len(images)} images in {len(paths)} parts for {runner}')
  if paths:
    run_with_beam(answer_part, paths, runner=runner, options=beam_options)
  return parts.rows(paths)


def _in_order(
  images: Sequence[str],
  problems: Mapping[str, str],
  rows: Iterator[list[Row]],
) -> Iterator[list[Row]]:
  """Yields the lines of each file, sorted by path.

  `rows` are those of the images; the other files have their error.
  """
  for name in sorted([*images, *problems]):
    if name in problems:
      yield [Answer(name, error=problems[name]).columns() | {'side': None}]
    else:
      yield next(rows)
