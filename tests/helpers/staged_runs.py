"""Small runs in stages on a packed dataset."""

from helpers.runs import TINY
from owdfa_jax.configs import staged


def tiny_stages(packed, which='cpl,folder64', **changes):
  """Returns the config of a staged run with one epoch per stage.

  Args:
    packed: the folder of the packed dataset.
    which: the argument of `configs/staged.py`.
    **changes: fields of the config, with `__` for each dot in their names.
  """
  config = staged.get_config(which)
  one_epoch = {
    'stages.pretrain_epochs': 1,
    'stages.round_epochs': 1,
    'epochs': 1,
  }
  changes = {k.replace('__', '.'): v for k, v in changes.items()}
  config.update_from_flattened_dict(TINY | one_epoch | changes)
  config.data.path = str(packed)
  return config.lock()
