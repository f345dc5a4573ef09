"""Finds and loads the config file that --config names."""

import importlib.machinery
import importlib.util
import os
import sys
import traceback
import types

import ml_collections

from input_pipeline.errors import UsageError, UserError
from owdfa_jax import configs
from owdfa_jax.configs.benchmarks import BENCHMARKS

# Files in the folder of configs that are not configs.
_SHARED = ('__init__', 'benchmarks', 'default')
# Those that compare methods.
_LEADERBOARDS = ('ablation', 'leaderboard')


def shipped_configs() -> list[str]:
  """Returns the names of the config files that come with the package."""
  names = (os.path.splitext(file) for file in os.listdir(folder()))
  return sorted(
    name for name, suffix in names if suffix == '.py' and name not in _SHARED
  )


def method_configs() -> list[str]:
  """Returns the names of the shipped config files of a single run."""
  return [name for name in shipped_configs() if name not in _LEADERBOARDS]


def choices_of_config() -> str:
  """Returns what --config takes, for the help."""
  # Without the names of earlier versions.
  names = [name for name in BENCHMARKS if not name.startswith('protocol')]
  return (
    'What to run: METHOD:BENCHMARK, or FILE:BENCHMARK of a config file. '
    f'Methods: {", ".join(method_configs())}. Benchmarks: {", ".join(names)}.'
  )


def folder() -> str:
  """Returns the folder of the shipped config files."""
  return configs.__path__[0]


def find_config(value: str) -> str:
  """Returns the value of --config with a path that exists, if there is one.

  Args:
    value: `FILE` or `FILE:ARGUMENT`. FILE is the path of a config file, or the
      name of a shipped one: `cpl`, `cpl.py` and `configs/cpl.py` are the same.
      A path that exists comes first.
  """
  file, colon, argument = value.partition(':')
  if os.path.isfile(file):
    return value
  place, name = os.path.split(file)
  stem = name.removesuffix('.py')
  if place in ('', 'configs') and stem in shipped_configs():
    file = os.path.join(folder(), f'{stem}.py')
  return f'{file}{colon}{argument}'


def load_config(value: str) -> ml_collections.ConfigDict:
  """Returns the locked config of a config file.

  ml_collections' own loader does not distinguish an error in the file from a
  wrong value of a flag.

  Args:
    value: the value of --config; see `find_config`.

  Raises:
    UserError: there is no such file, it fails, or its get_config() returns
      something other than a config.
  """
  file, colon, argument = find_config(value).partition(':')
  if not os.path.isfile(file):
    raise UsageError(f'no such config file: {file}')
  try:
    module = _import_file(file)
    if not callable(getattr(module, 'get_config', None)):
      raise UserError(
        f'the config file {file} has no get_config(...); define it there, or '
        'give another --config'
      )
    config = module.get_config(argument) if colon else module.get_config()
  except UserError:
    raise  # a wrong value of a setting, described by the shipped configs
  except (Exception, SystemExit) as error:
    raise UserError(
      f'the config file {file} failed: {_describe(error, file)}; correct it'
    ) from error
  if not isinstance(config, ml_collections.ConfigDict):
    returned = 'None' if config is None else f'a {type(config).__name__}'
    raise UserError(
      f'the config file {file}: get_config() returned {returned}, not a '
      'ml_collections.ConfigDict; correct it'
    )
  config.lock()
  return config


def _import_file(file: str) -> types.ModuleType:
  """Runs a Python file, whatever its name ends in, and returns its module."""
  name = 'config_file'
  loader = importlib.machinery.SourceFileLoader(name, os.path.abspath(file))
  spec = importlib.util.spec_from_file_location(name, loader=loader)
  if spec is None:
    raise ImportError(f'not a Python file: {file}')
  module = importlib.util.module_from_spec(spec)
  sys.modules[name] = module  # dataclasses look their module up there
  loader.exec_module(module)
  return module


def _describe(error: BaseException, file: str) -> str:
  """Returns the type and message of an error, and the line of `file`."""
  message = error.args[0] if isinstance(error, KeyError) else error
  path = os.path.abspath(file)
  lines = [
    frame.lineno
    for frame in traceback.extract_tb(error.__traceback__)
    if frame.filename == path
  ]
  if isinstance(error, SyntaxError) and error.filename == path:
    message = error.msg
    lines.append(error.lineno)
  where = f' (line {lines[-1]} of {file})' if lines else ''
  text = f': {message}' if str(message) else ''
  return f'{type(error).__name__}{text}{where}'
