"""Makes the config of a run from a row: its file, shared and own settings."""

import ast
from collections.abc import Sequence

import ml_collections
from ml_collections.config_flags import config_path

from input_pipeline.errors import UserError
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
    _override(config, setting, f'--config.shared (row {row.name!r})')
  for setting in row.overrides:
    _override(config, setting, f'row {row.name!r}')
  config.seed = seed
  return config


def _override(
  config: ml_collections.ConfigDict, setting: str, where: str
) -> None:
  """Applies 'field=value', or raises `UserError`."""
  field, equals, text = setting.partition('=')
  if field == 'seed':
    raise UserError(
      f'a row has no seed of its own: {where} has {setting!r}; all rows have '
      'the seeds of --config.seeds'
    )
  if not equals:
    raise UserError(f'no value: {where} has {setting!r}; write field=value')
  try:
    before = config_path.get_value(field, config)
    if isinstance(before, ml_collections.ConfigDict):
      raise KeyError(field)  # a section
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'no such setting: {where} has {setting!r}; see {configs.DEFAULT_FILE} '
      "and the row's config, which list the fields"
    ) from error
  # A text such as '12' must not become a number.
  value = text if isinstance(before, str) else _literal(text)
  try:
    config.update_from_flattened_dict({field: value})
  except (AttributeError, TypeError, ValueError) as error:
    raise UserError(
      f'a value does not fit: {where} has {setting!r}, now it is {before!r}; '
      'give a value of that type'
    ) from error


def _literal(text: str) -> object:
  """Returns the number, truth value or tuple that `text` is, else `text`."""
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError, MemoryError, RecursionError):
    return text
