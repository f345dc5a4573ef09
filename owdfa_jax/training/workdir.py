"""Claims a workdir for one run, so that no other run overwrites it."""

import contextlib
import json
from collections.abc import Iterator

import jax
from etils import epath

from input_pipeline.files import read_text, write_whole
from owdfa_jax.experiment import Experiment
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.progress import say
from owdfa_jax.training.run_data import write_run_data
from owdfa_jax.training.run_record import (
  CONFIG_FILE,
  check_resumable,
  has_checkpoint,
  lacks_data_hashes,
  recorded_setting,
  run_settings,
)
from owdfa_jax.training.verification import verify_all
from owdfa_jax.training.workdir_lock import lock_workdir

# The evaluation at the end of a training writes it.
_REPORT_FILE = 'report.json'


@contextlib.contextmanager
def open_workdir(experiment: Experiment) -> Iterator[None]:
  """Locks and checks the workdir of a run that is to train there.

  The checkpoints in it are verified, see `verification.verify_all`. The record
  of the run is left as it is, see `claim_workdir`. All processes of a pod must
  enter this at the same point of the program.

  Raises:
    UserError: another process trains there, the workdir belongs to another run,
      or a checkpoint is damaged.
  """
  with lock_workdir(experiment.workdir):
    check_resumable(experiment)
    verify_all(experiment.workdir, experiment.config.checkpoints.on_damage)
    yield


def claim_workdir(inputs: RunInputs) -> None:
  """Writes the run's settings and data to `config.json` and `data.json`.

  Must come before the first checkpoint is saved, and after everything that may
  refuse to go on: a command that is refused leaves the record as it was. Which
  run may use a workdir is the rule of `check_resumable`.

  Raises:
    UserError: the workdir cannot be written, or it belongs to another run.
  """
  workdir, epochs = inputs.workdir, inputs.config.epochs
  check_resumable(inputs)
  if (
    has_checkpoint(workdir)
    and (before := recorded_setting(inputs, 'epochs')) != epochs
  ):
    say(
      f'{epochs} epochs instead of {before}: the remaining steps use the '
      f'learning rates of a run of {epochs}',
      always=True,
    )
  if has_checkpoint(workdir) and lacks_data_hashes(workdir):
    say(
      f'the run in {workdir} has no hash of its images, since an earlier '
      'version began it; from now on it takes those of --config.data.path='
      f'{inputs.config.data.path} and no others',
      always=True,
    )
  # The processes of a pod share one file system.
  if jax.process_index() == 0:
    with write_whole(
      workdir / CONFIG_FILE,
      text=True,
      what='the settings of the run',
      remedy='choose another --workdir, one that can be written',
    ) as file:
      settings = run_settings(inputs)
      file.write(json.dumps(settings, indent=2, allow_nan=False) + '\n')
    write_run_data(inputs)


def say_older_report(workdir: epath.Path) -> None:
  """Prints of which step the report in a workdir is, if there is one.

  For a run that goes on: its report stays the older one until it is complete.

  Args:
    workdir: the folder of the run.
  """
  try:
    step = json.loads(read_text(workdir / _REPORT_FILE))['checkpoint_step']
  except (OSError, ValueError, TypeError, KeyError, RecursionError):
    return  # none, or none that anybody could read
  if isinstance(step, int):
    say(
      f'{_REPORT_FILE} and attributions.csv are of step {step}; the end of '
      'this training writes them anew, and so does `owdfa eval`',
      always=True,
    )
