"""Draws the page of an evaluated run: report.html, one file, no network.

  owdfa report RUN
  owdfa report RUN RUN2

With two runs the page is that of the first, and compares both on the test
images that they share. The map of features needs the packed data and the
network; it is computed once and kept in the run, as the shown images are.
"""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from etils import epath

from input_pipeline import strict_json
from input_pipeline.argument_parser import (
  DATA_FLAG,
  add_packed_data,
  add_run,
  described_parser,
)
from input_pipeline.errors import UsageError, UserError, one_line_errors
from input_pipeline.files import LIST_LIMIT, path_type, read_text
from input_pipeline.object_store import is_remote
from input_pipeline.storage import run_type
from owdfa_jax.evaluation.report_files import REPORT_FILE
from owdfa_jax.page.feature_map import fits, read_map
from owdfa_jax.page.galleries import GALLERY
from owdfa_jax.page.page_in_store import draw_in_store
from owdfa_jax.page.run_files import RunFiles, read_run
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.recorded_config import recorded_config, run_folders
from owdfa_jax.training.run_data import inputs_with_images


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Reads the files of an evaluated run and writes its page.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, for the help.
  """
  parser = described_parser(prog, __doc__)
  add_run(parser, 'an evaluated run')
  parser.add_argument(
    'other',
    metavar='RUN2',
    nargs='?',
    type=run_type('RUN2'),
    help='a run to compare it with',
  )
  add_packed_data(parser)
  parser.add_argument(
    '--out',
    metavar='FILE',
    type=path_type('--out'),
    help='the page to write, and nothing beside it; by default RUN/report.html '
    'and the pictures in RUN/page',
  )
  arguments = parser.parse_args(argv)
  out = arguments.out
  if out is not None and out.suffix.lower() not in ('.html', '.htm'):
    raise UsageError(f'not the name of a page: --out={out}; end it with .html')
  check_two_runs(arguments.run, arguments.other)
  draw = functools.partial(
    report_page,
    other=arguments.other,
    data_path=arguments.data,
    out=out,
  )
  if is_remote(arguments.run):
    path = draw_in_store(str(arguments.run), draw)
  else:
    path = draw(arguments.run)
  print(f'written: {path}')


def check_two_runs(run: pathlib.Path, other: pathlib.Path | None) -> None:
  """Raises `UsageError` for a run that is to be compared with itself.

  Args:
    run: the folder of a run.
    other: that of the second one; None if there is none.
  """
  if other is not None and _absolute(run) == _absolute(other):
    raise UsageError(
      f'the same run twice: {run} and {other}; give another RUN2, or leave it '
      'out'
    )


def _absolute(folder: pathlib.Path) -> str:
  return str(folder if is_remote(folder) else folder.resolve())


def report_page(
  folder: pathlib.Path,
  other: pathlib.Path | None = None,
  data_path: str | None = None,
  out: pathlib.Path | None = None,
  device: str = '',
) -> pathlib.Path:
  """Writes the page of an evaluated run, and what it needs and lacks.

  Args:
    folder: the run's folder; of a staged run, the one of all stages.
    other: a run to compare it with.
    data_path: the packed dataset; None for that of the run.
    out: the page's path, written alone; None for `report.html` in the folder,
      with its pictures as files.
    device: what evaluated the run, '' if that is unknown.

  Returns:
    The page's path.

  Raises:
    UserError: the run was not evaluated on its test images, or a file cannot be
      written.
  """
  run = last_stage(folder)
  second = None if other is None else last_stage(other)
  inputs, reason = _inputs(run, data_path)
  if reason and not (_has_map(run) and _has_gallery(run)):
    print(f'the page has fewer pictures: {reason}')
  if inputs is not None and not _has_map(run) and 'spectrum' not in run.config:
    _make_map(inputs)
  # Imported here because Matplotlib takes a second to load.
  from owdfa_jax.page.write_page import write_page

  return write_page(
    run,
    folder,
    dataset=None if inputs is None else inputs.dataset,
    stages=_stages(folder),
    other=second,
    out=out,
    device=device,
  )


def last_stage(folder: pathlib.Path) -> RunFiles:
  """Returns the files of a run, or of the last stage of a staged run.

  Args:
    folder: the run's folder; at gs:// an `epath.Path`.

  Raises:
    UserError: it holds no run, or none that was evaluated.
  """
  last: Any = run_folders(str(folder))[-1]
  if not is_remote(last):
    last = pathlib.Path(last)
  name = _absolute(folder).rpartition('/')[2]
  return read_run(last, name, folder)


def _inputs(
  run: RunFiles, data_path: str | None
) -> tuple[RunInputs | None, str]:
  """Returns the run's data with its images; None and the reason without."""
  folder = epath.Path(run.workdir)
  try:
    config = recorded_config(folder)
    with config.unlocked():
      if data_path is not None:
        config.data.path = data_path
      # What the report is of, whatever the run would take today.
      if run.report.get('checkpoint_step') is not None:
        config.eval.checkpoint = str(run.report['checkpoint_step'])
      if by := run.report.get('classified_by'):
        config.eval.classify_by = by
    return inputs_with_images(config, folder, DATA_FLAG), ''
  except UserError as error:
    if data_path is not None:
      raise
    return None, str(error)


def _has_map(run: RunFiles) -> bool:
  step = int(run.report.get('checkpoint_step') or 0)
  found = read_map(epath.Path(run.workdir), step)
  return fits(found, len(run.verdicts.group))


def _has_gallery(run: RunFiles) -> bool:
  step = int(run.report.get('checkpoint_step') or 0)
  return GALLERY.path(epath.Path(run.workdir), step).exists()


def _make_map(inputs: RunInputs) -> None:
  # Imported here because JAX takes seconds to load, and most pages need none.
  from owdfa_jax.experiment import build_experiment
  from owdfa_jax.library_logs import silence_libraries
  from owdfa_jax.page.map_of_run import ensure_map

  silence_libraries()
  try:
    ensure_map(build_experiment(inputs))
  except UserError as error:
    print(f'the page has no map of features: {error}')


def _stages(folder: pathlib.Path) -> dict[str, dict] | None:
  """Returns the reports of the stages of a staged run; None for another."""
  try:
    text = read_text(folder / REPORT_FILE, LIST_LIMIT)
    return strict_json.loads(text).get('stages')
  except (OSError, ValueError, AttributeError):
    return None


if __name__ == '__main__':
  main()
