"""The commands that a soak kills: small ones, on simulated data."""

import os
import sys
from collections.abc import Sequence

# The settings of every training below: a small network, and many saves.
_SMALL = (
  '--config.model.backbone=small',
  '--config.model.width=0.25',
  '--config.batch_size=16',
  '--config.eval.batch_size=64',
  '--config.log.every_steps=2',
  '--config.log.tensorboard=False',
  '--config.log.page=False',
)
# The arguments of `owdfa`, started in an empty folder. DATA stands for the
# folder of inputs.
KINDS: dict[str, Sequence[str]] = {
  'simulate': ('simulate', '--out=out', '--images_per_class=20', '--size=32'),
  'pack': (
    'pack',
    '--meta=DATA/simulated/Protocol1_openset_fake_meta.csv',
    '--size=32',
    '--shards=8',
    '--workers=2',
    '--out=out',
  ),
  'train': (
    'train',
    '--config=cpl:folder64',
    '--config.data.path=DATA/packed',
    '--config.epochs=4',
    '--workdir=out',
    *_SMALL,
  ),
  'cal': (
    'train',
    '--config=cal:folder64',
    '--config.data.path=DATA/packed',
    '--config.epochs=3',
    '--config.eval.selection=validation',
    '--workdir=out',
    *_SMALL,
  ),
  # Its centres and sources are written after training.
  'trace': (
    'train',
    '--config=trace:folder64',
    '--config.data.path=DATA/packed',
    '--config.epochs=2',
    '--workdir=out',
    *_SMALL,
  ),
  'staged': (
    'train',
    '--config=staged:cpl,folder64',
    '--config.data.path=DATA/packed',
    '--config.stages.pretrain_epochs=1',
    '--config.stages.round_epochs=1',
    '--config.epochs=1',
    '--workdir=out',
    *_SMALL,
  ),
  'leaderboard': (
    'leaderboard',
    '--config=leaderboard:folder64',
    '--config.only_rows=lower bound,CPL',
    '--config.seeds=0',
    '--config.shared=epochs=1',
    '--config.shared=data.path=DATA/packed',
    *('--config.shared=' + x.removeprefix('--config.') for x in _SMALL),
    '--workdir=out',
  ),
}
# The commands that make the inputs of those above.
INPUTS = (
  ('simulate', '--out=DATA/simulated', '--images_per_class=8', '--size=32'),
  (
    'pack',
    '--meta=DATA/simulated/Protocol1_openset_fake_meta.csv',
    '--size=32',
    '--out=DATA/packed',
  ),
)


def command(arguments: Sequence[str], data: str) -> list[str]:
  """Returns the command line that runs `owdfa` with arguments.

  Args:
    arguments: with DATA for the folder of inputs.
    data: that folder, absolute.
  """
  return [
    sys.executable,
    '-m',
    'owdfa_jax.commands.owdfa',
    *(argument.replace('DATA', data) for argument in arguments),
  ]


def environment(workdir: str) -> dict[str, str]:
  """Returns the environment of the commands.

  Args:
    workdir: the folder of the soak; keeps the compiled programs, unless
      `OWDFA_CACHE` names a folder for them.
  """
  package = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
  python_path = os.environ.get('PYTHONPATH', '')
  return {
    'OWDFA_CACHE': os.path.join(workdir, 'cache'),
    **os.environ,
    'PYTHONPATH': f'{package}{os.pathsep}{python_path}',
  }
