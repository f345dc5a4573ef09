"""One file for each method; `file.py:benchmark` says which data it runs on."""

import ast
import importlib
import pathlib

import ml_collections
from ml_collections.config_flags import config_path

from input_pipeline.errors import UsageError, check_choice, did_you_mean

# Files here that do not configure a single run.
_NOT_RUNS = ('__init__', 'ablation', 'benchmarks', 'default', 'leaderboard')
# What a setting takes, by the type of its value.
_KINDS: dict[type, str] = {
  bool: 'True or False',
  int: 'a whole number',
  float: 'a number',
  tuple: 'values in brackets, such as (1, 2)',
}


def names() -> list[str]:
  """Returns the names of the configs of a run, sorted."""
  folder = pathlib.Path(__file__).parent
  files = (path.stem for path in folder.glob('*.py'))
  return sorted(name for name in files if name not in _NOT_RUNS)


def load(name: str, argument: str) -> ml_collections.ConfigDict:
  """Returns the config that `configs/<name>.py:<argument>` means.

  Args:
    name: one of `names()`.
    argument: what follows the colon: a benchmark, or METHOD,BENCHMARK for
      'staged'.

  Raises:
    UserError: there is no such config, or it does not know the argument.
  """
  check_choice('config', name, names())
  module = importlib.import_module(f'owdfa_jax.configs.{name}')
  return module.get_config(argument)


def override(
  config: ml_collections.ConfigDict, setting: str, where: str
) -> None:
  """Applies a setting to a config.

  Args:
    config: locked; changed in place.
    setting: 'field=value', such as 'optimizer.learning_rate=1e-3'.
    where: what gives the setting, for errors.

  Raises:
    UsageError: there is no such field, no value, or one of another type.
  """
  field, equals, text = setting.partition('=')
  if not equals:
    raise UsageError(f'no value: {where} has {setting!r}; write field=value')
  try:
    before = config_path.get_value(field, config)
    if isinstance(before, ml_collections.ConfigDict):
      raise KeyError(field)  # a section
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    advice = did_you_mean(field, _fields(config))
    raise UsageError(
      f'no such setting: {where} has {setting!r}; docs/settings.md and the '
      f'config file list all{advice}'
    ) from error
  # A text such as '12' must not become a number.
  value = text if isinstance(before, str) else _literal(text)
  try:
    config.update_from_flattened_dict({field: value})
  except (AttributeError, TypeError, ValueError) as error:
    raise UsageError(
      f'a value does not fit: {where} has {setting!r}, now it is {before!r}; '
      f'give {_KINDS.get(type(before), "a value of that type")}'
    ) from error


def _fields(config: ml_collections.ConfigDict, prefix: str = '') -> list[str]:
  """Returns the names of the settings, such as 'optimizer.learning_rate'."""
  found = []
  for name, value in config.items():
    if isinstance(value, ml_collections.ConfigDict):
      found += _fields(value, f'{prefix}{name}.')
    else:
      found.append(f'{prefix}{name}')
  return found


def _literal(text: str) -> object:
  """Returns the number, truth value or tuple that `text` is, else `text`."""
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError, MemoryError, RecursionError):
    return text
