"""Makes the config of a run from a row: its file, shared and own settings."""

from collections.abc import Sequence

import ml_collections

from input_pipeline.errors import UsageError, UserError
from owdfa_jax import configs
from owdfa_jax.leaderboard.rows import Row


def make_row_config(
  row: Row, seed: int, shared: Sequence[str], benchmark: str
) -> ml_collections.ConfigDict:
  """Returns the config of one run.

  Args:
    row: a row of the leaderboard. Its own settings are applied last.
    seed: the run's seed.
    shared: settings of all rows, each as 'field=value'.
    benchmark: the argument of the row's config file.

  Raises:
    UserError: there is no such config file, or a setting does not fit.
  """
  # `staged:cpl` is configs/staged.py for CPL.
  file, _, method = row.config.partition(':')
  if file not in configs.names():
    raise UserError(
      f'no such method: row {row.name!r} has config={row.config!r}; name a '
      'file of configs/ without its .py, such as cpl, or staged:cpl'
    )
  config = configs.load(file, f'{method},{benchmark}' if method else benchmark)
  config.lock()
  for setting in shared:
    _apply(config, setting, f'--config.shared (row {row.name!r})')
  for setting in row.overrides:
    _apply(config, setting, f'row {row.name!r}')
  config.seed = seed
  return config


def _apply(config: ml_collections.ConfigDict, setting: str, where: str) -> None:
  """Applies 'field=value', or raises `UserError`."""
  if setting.partition('=')[0] == 'seed':
    raise UsageError(
      f'a row has no seed of its own: {where} has {setting!r}; all rows have '
      'the seeds of --config.seeds'
    )
  configs.override(config, setting, where)
