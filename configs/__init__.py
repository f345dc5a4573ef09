"""One file for each method; `file.py:benchmark` says which data it runs on."""

import importlib
import pathlib

import ml_collections

from input_pipeline.errors import check_choice

# Files here that do not configure a single run.
_NOT_RUNS = ('__init__', 'ablation', 'benchmarks', 'default', 'leaderboard')
# The file that explains every field of a run's config.
DEFAULT_FILE = str(pathlib.Path(__file__).parent / 'default.py')


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
