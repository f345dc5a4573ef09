"""Finds the config file that --config names, in a folder or in the package."""

import os

from owdfa_jax import configs

# Files in the folder of configs that are no configs themselves.
_SHARED = ('__init__', 'benchmarks', 'default')


def shipped_configs() -> list[str]:
  """Returns the names of the config files that come with the package."""
  names = (os.path.splitext(file) for file in os.listdir(folder()))
  return sorted(
    name for name, suffix in names if suffix == '.py' and name not in _SHARED
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
