"""Attributes new images: names the source of every image of a scan."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from jax.experimental import multihost_utils

from input_pipeline.escape import terminal
from input_pipeline.image_folders import FolderScan
from input_pipeline.progress_bars import progress_bar
from owdfa_jax.evaluation.report_files import NEW_ATTRIBUTIONS_FILE
from owdfa_jax.evaluation.source_names import output_names
from owdfa_jax.experiment import Experiment
from owdfa_jax.inference.answers import COLUMNS, Answer
from owdfa_jax.inference.prepare import prepare_run
from owdfa_jax.inference.run import TrainedRun
from owdfa_jax.inference.summary import Summary
from owdfa_jax.inference.tables import NUM_NEAREST, write_table
from owdfa_jax.inference.unfinished import UnfinishedTable
from owdfa_jax.training.manifest import checkpoint_digest

_EARLIER = (
  'warning: confidences are without a temperature, and no training images are '
  'named: the run was last evaluated by an earlier version; evaluate it again, '
  'where its packed data is'
)
_NO_TEMPERATURE = (
  'warning: confidences are too high to be read as the chance of being right: '
  'the run has no temperature, which needs 20 training images without a label, '
  'and of tiles as many whole images'
)


def attribute_with_run(
  experiment: Experiment,
  scan: FolderScan,
  max_pixels: int | None = None,
  out: str | None = None,
  *,
  stability: bool = False,
  nearest: int = NUM_NEAREST,
  frames: bool = False,
  faces: bool = False,
) -> int:
  """Attributes new images; finds the run's centres and sources if need be.

  The arguments, the result and the errors are those of `attribute`.
  """
  return attribute(
    prepare_run(experiment),
    scan,
    max_pixels,
    out,
    stability=stability,
    nearest=nearest,
    frames=frames,
    faces=faces,
  )


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

  Returns:
    An exit status: 0, or 1 if some image could not be read. Files that are not
    images do not count.

  Raises:
    UserError: there is no checkpoint, the table cannot be written, or `faces`
      was asked of a run that was not trained on faces.
  """
  run = TrainedRun(experiment)
  path = out or experiment.workdir / NEW_ATTRIBUTIONS_FILE
  made_by = _made_by(run, experiment) | {
    'max_pixels': max_pixels,
    'stability': stability,
    'nearest': nearest,
    'frames': frames,
    **({'faces': True} if faces else {}),
  }
  table = UnfinishedTable(path, made_by)
  # The other processes of a pod have read it before process 0 writes.
  multihost_utils.sync_global_devices('answers are read')
  answers = _answers(
    run,
    scan,
    table.done,
    max_pixels=max_pixels,
    stability=stability,
    nearest=nearest,
    faces=faces,
  )
  if jax.process_index() > 0:
    for _ in answers:
      pass  # it computes its share of each batch
    return 0
  if table.done:
    print(f'goes on: {len(table.done)} files have an answer in {table.path}')
  summary = Summary(scan, run.outputs, run.num_known)
  with table:
    count = len(scan.images) + len(scan.others) + len(scan.unreadable)
    started = len(table.done)
    with progress_bar('attribute', count, 'file', initial=started) as progress:
      for answer in answers:
        for each in answer.lines(frames=frames, faces=faces):
          table.add(each.columns() | {'side': each.side})
        progress.update()
    write_table(path, COLUMNS, _counted(table, summary))
  table.remove()
  print(summary.text(path))
  for error in summary.errors:
    print(terminal(error), file=sys.stderr)
  for line in summary.warnings(experiment.dataset.description):
    print(line)
  if not run.has_training_images:
    print(_EARLIER)
  elif run.lacks_temperature:
    print(_NO_TEMPERATURE)
  return 1 if summary.errors else 0


def _made_by(run: TrainedRun, experiment: Experiment) -> dict[str, Any]:
  """Returns what the answers of a run depend on, for JSON."""
  pairs = zip(output_names(experiment), run.outputs, strict=True)
  given = {output: name for output, name in pairs if output != name}
  return {
    **({'names': given} if given else {}),
    'checkpoint': checkpoint_digest(run.checkpoint),
    'classify_by': experiment.config.eval.classify_by,
    'whitening': experiment.config.eval.whitening,
    'threshold': run.unseen_threshold,
    'calibration': list(run.calibration or ()),
  }


def _answers(
  run: TrainedRun,
  scan: FolderScan,
  done: set[str],
  **options: Any,
) -> Iterator[Answer]:
  """Yields an answer for every file that has none, sorted by path.

  `options` are those of `TrainedRun.stream`.
  """
  problems = {**scan.others, **scan.unreadable}
  names = sorted({*scan.images, *problems} - done)
  answers = run.stream(
    (name for name in names if name not in problems), **options
  )
  for name in names:
    if name in problems:
      yield Answer(name, error=problems[name])
    else:
      yield next(answers)


def _counted(
  table: UnfinishedTable, summary: Summary
) -> Iterator[Mapping[str, Any]]:
  for row in table.rows():
    summary.count(row)
    yield row
