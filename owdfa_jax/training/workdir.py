"""Claims a workdir for one run, so that no other run overwrites it."""

import json

import jax

from input_pipeline.errors import UserError
from input_pipeline.files import write_whole
from owdfa_jax.experiment import Experiment
from owdfa_jax.training.progress import say
from owdfa_jax.training.run_record import (
  CHANGEABLE_SETTINGS,
  CONFIG_FILE,
  check_settings,
  has_checkpoint,
  recorded_setting,
  run_settings,
)


def claim_workdir(experiment: Experiment) -> None:
  """Writes the run's settings to `config.json` in its workdir.

  A workdir with checkpoints belongs to the run that saved them. That run may
  resume with other values of `CHANGEABLE_SETTINGS`, and no other run may use
  the workdir. Without checkpoints, any run may.

  Raises:
    UserError: the workdir cannot be written, or it belongs to another run.
  """
  workdir, epochs = experiment.workdir, experiment.config.epochs
  try:
    resumes = has_checkpoint(workdir)
    if resumes:
      check_settings(
        experiment, lambda name: not name.startswith(CHANGEABLE_SETTINGS)
      )
  except OSError as error:
    raise UserError(
      f'the workdir cannot be read: --workdir={workdir} ({error.strerror}); '
      'choose a folder that can'
    ) from error
  if resumes and (before := recorded_setting(experiment, 'epochs')) != epochs:
    say(
      f'{epochs} epochs instead of {before}: the remaining steps use the '
      f'learning rates of a run of {epochs}'
    )
  # The processes of a pod share one file system.
  if jax.process_index() == 0:
    with write_whole(
      workdir / CONFIG_FILE,
      text=True,
      what='the settings of the run',
      remedy='choose another --workdir, one that can be written',
    ) as file:
      file.write(json.dumps(run_settings(experiment), indent=2) + '\n')
