"""Options of XLA for the devices of a step."""

import dataclasses

import numpy as np
import pytest

from owdfa_jax import parallel
from owdfa_jax.training import compiler


@dataclasses.dataclass
class Device:
  platform: str


@dataclasses.dataclass
class Mesh:
  devices: np.ndarray


def test_the_installed_xla_knows_the_options_of_processors():
  options = compiler.compiler_options(parallel.make_placement())
  assert options and all(name.startswith('xla_cpu_') for name in options)


@pytest.mark.parametrize('platform', ['gpu', 'tpu'])
def test_other_devices_get_none(platform):
  placement = parallel.Placement(Mesh(np.array([Device(platform)])))
  assert compiler.compiler_options(placement) is None
  assert compiler.options_to_run_once(placement) == compiler._ONCE


def test_an_xla_that_lacks_them_gets_none(monkeypatch):
  unknown = {'xla_cpu_no_such_option': '1'}
  monkeypatch.setattr(compiler, '_PROCESSORS', unknown)
  monkeypatch.setattr(compiler, '_ONCE_ON_PROCESSORS', unknown)
  placement = parallel.make_placement()
  assert compiler.compiler_options(placement) is None
  assert compiler.options_to_run_once(placement) == compiler._ONCE


def test_a_program_that_runs_once():
  options = compiler.options_to_run_once(parallel.make_placement())
  assert options == compiler._ONCE | compiler._ONCE_ON_PROCESSORS
