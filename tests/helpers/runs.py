"""Small runs on a packed dataset, for the tests."""

import importlib
import os
import signal

from owdfa_jax import experiment
from owdfa_jax.training import optimizers, state
from owdfa_jax.training.progress import Progress

TINY = {
  'model.width': 0.125,
  'batch_size': 16,
  'epochs': 2,
  'eval.batch_size': 16,
  'log.every_steps': 2,
  'log.tensorboard': False,
  # The cosine knows the number of epochs; this one does not.
  'optimizer.schedule': 'step',
}


def tiny_config(packed, method='cpl', **changes):
  """The config of `method` for 32-pixel images, a few steps an epoch.

  `changes` has `__` for the dots of a field's name.
  """
  config = importlib.import_module(f'owdfa_jax.configs.{method}').get_config(
    'folder64'
  )
  changes = {k.replace('__', '.'): v for k, v in changes.items()}
  config.update_from_flattened_dict(TINY | changes)
  config.data.path = str(packed)
  return config.lock()


def tiny_experiment(packed, workdir, method='cpl', **changes):
  """That config's experiment in `workdir`."""
  config = tiny_config(packed, method, **changes)
  return experiment.set_up(config, str(workdir))


def fresh_state(experiment, seed=7):
  """The state such a run would begin with."""
  tx, _ = optimizers.make_optimizer(
    **experiment.config.optimizer, epochs=1, steps_per_epoch=1
  )
  _, fresh = state.initialise(
    experiment.build,
    experiment.method,
    experiment.num_outputs,
    tx,
    num_examples=len(experiment.dataset.train),
    seed=seed,
    placement=experiment.placement,
  )
  return fresh


def stop_after(patch, number):
  """Lets a signal arrive after so many steps; `patch` is a MonkeyPatch."""
  step = Progress.step

  def step_then_signal(self, done, scalars):
    step(self, done, scalars)
    if done == number:
      os.kill(os.getpid(), signal.SIGTERM)

  patch.setattr(Progress, 'step', step_then_signal)
