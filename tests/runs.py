"""Small runs on a packed dataset, for the tests."""

import importlib

from owdfa_jax import experiment

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
  config = importlib.import_module(f'configs.{method}').get_config('folder64')
  changes = {k.replace('__', '.'): v for k, v in changes.items()}
  config.update_from_flattened_dict(TINY | changes)
  config.data.path = str(packed)
  return config.lock()


def tiny_experiment(packed, workdir, method='cpl', **changes):
  """That config's experiment in `workdir`."""
  config = tiny_config(packed, method, **changes)
  return experiment.set_up(config, str(workdir))
