"""Makes small runs on a packed dataset."""

import os
import signal

from owdfa_jax import configs, experiment
from owdfa_jax.training.manifest import write_manifest
from owdfa_jax.training.progress import Progress
from owdfa_jax.training.setup import set_up_training
from owdfa_jax.training.state import create_state
from owdfa_jax.training.workdir import claim_workdir

TINY = {
  'model.width': 0.125,
  'batch_size': 16,
  'epochs': 2,
  'eval.batch_size': 16,
  'log.every_steps': 2,
  'log.tensorboard': False,
  'log.page': False,
  # Does not depend on the number of epochs, so a run of one epoch can be
  # extended to two and must equal a run of two.
  'optimizer.schedule': 'step',
}


def tiny_config(packed, method='cpl', **changes):
  """Returns a config for 32-pixel images, with a few steps per epoch.

  Args:
    packed: the folder of the packed dataset.
    method: the name of a file in `configs`.
    **changes: fields of the config, with `__` for each dot in their names.
  """
  config = configs.load(method, 'folder64')
  changes = {k.replace('__', '.'): v for k, v in changes.items()}
  config.update_from_flattened_dict(TINY | changes)
  config.data.path = str(packed)
  return config.lock()


def tiny_experiment(packed, workdir, method='cpl', **changes):
  """Returns the experiment of `tiny_config` in `workdir`."""
  config = tiny_config(packed, method, **changes)
  return experiment.set_up(config, str(workdir))


def initial_state(experiment, seed=7):
  """Returns the state before the first step of a run with that seed."""
  init = set_up_training(experiment).init
  return create_state(init, seed, experiment.placement)


def start_run(packed, workdir, **changes):
  """Makes a workdir whose run has saved a checkpoint without any array."""
  claim_workdir(tiny_experiment(packed, workdir, **changes))
  folder = workdir / 'checkpoints' / '5'
  folder.mkdir(parents=True, exist_ok=True)
  write_manifest(folder, step=5)


def stop_after(patch, number):
  """Sends this process SIGTERM after step `number`.

  Args:
    patch: a `pytest.MonkeyPatch`, which undoes it.
    number: of the step.
  """
  count_step = Progress.count_step

  def count_step_then_signal(self, step, scalars):
    count_step(self, step, scalars)
    if step == number:
      os.kill(os.getpid(), signal.SIGTERM)

  patch.setattr(Progress, 'count_step', count_step_then_signal)
