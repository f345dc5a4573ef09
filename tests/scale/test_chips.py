"""Devices that need not be there."""

import subprocess
import sys
import types
from importlib.util import find_spec

import jax
import pytest

from helpers.paths import ROOT
from input_pipeline.errors import UsageError, UserError
from owdfa_jax import parallel
from owdfa_jax.scale import chips
from owdfa_jax.scale.costs import compiled_cost
from owdfa_jax.scale.program import Sizes, lower_step


@pytest.fixture
def asked(monkeypatch):
  """Has the compiler replaced; returns what it is asked for."""
  found = {}

  def describe(**options):
    found.update(options)
    return types.SimpleNamespace(devices=jax.devices())

  monkeypatch.setattr(chips.topologies, 'get_topology_desc', describe)
  return found


def fail_at_once(**_):
  raise AssertionError('the compiler is not asked')


@pytest.mark.parametrize(
  'topology, shape',
  [('h100:1', '1x1x1'), ('a100:8', '1x1x8'), ('h100:256', '1x32x8')],
)
def test_gpus_stand_in_machines_of_eight(topology, shape, asked):
  placement = chips.placement_of(topology, 4)
  assert placement.mesh.size == 4
  assert asked['platform'] == 'cuda' and asked['topology'] == shape
  name = topology.partition(':')[0].upper()
  assert f'"NVIDIA {name}' in asked['target_config']
  # There is no GPU to try algorithms on.
  assert chips.chip_options(topology) == {'xla_gpu_autotune_level': 0}
  assert not chips.chip_options('v5e:2x2')


@pytest.mark.parametrize('topology', ['h100', 'h100:0', 'h100:12', 'a100:2x4'])
@pytest.mark.usefixtures('asked')
def test_numbers_of_gpus(topology):
  with pytest.raises(UserError, match=f'not a topology: --topology={topology}'):
    chips.placement_of(topology)


@pytest.mark.parametrize('topology', ['', 'lokal', 'v5e', 'v5e:', 'v5e:2x'])
def test_what_names_no_chips(topology, monkeypatch):
  monkeypatch.setattr(chips.topologies, 'get_topology_desc', fail_at_once)
  with pytest.raises(
    UsageError, match=f'not a topology: --topology={topology}'
  ):
    chips.placement_of(topology)


@pytest.mark.parametrize(
  'topology, options',
  [('v4:2x2x2', {'chip_config_name': 'megacore'}), ('v5e:2x4', {})],
)
def test_a_chip_is_one_device(topology, options, asked):
  assert chips.placement_of(topology).mesh.size == 8
  assert asked == {'platform': 'tpu', 'topology_name': topology} | options


def test_a_pod_that_is_too_large(monkeypatch):
  chip = types.SimpleNamespace(device_kind='TPU v5 lite', coords=(16, 0, 0))
  monkeypatch.setattr(
    chips.topologies,
    'get_topology_desc',
    lambda **_: types.SimpleNamespace(devices=[chip]),
  )
  with pytest.raises(UsageError, match='too large: --topology=v5e:32x16 '):
    chips.placement_of('v5e:32x16')


def test_chips_that_fill_no_rectangle(monkeypatch):
  def refuse(_):
    raise AssertionError('jax_devices=...')

  monkeypatch.setattr(chips, 'make_placement', refuse)
  with pytest.raises(UserError, match='no arrangement: --devices=3 '):
    chips.placement_of('local', 3)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec('libtpu'), reason='needs libtpu')
@pytest.mark.parametrize('devices, status', [(4, 0), (3, 1)])
def test_some_chips_of_a_host(devices, status):
  done = subprocess.run(
    [
      *(sys.executable, '-m', 'owdfa_jax.commands.owdfa', 'scale'),
      *('--topology=v4:2x2x1', f'--devices={devices}', '--batch=8'),
      *('--part=loss', '--methods=orca', '--backbones=small'),
    ],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == status
  assert ('no arrangement' in done.stderr) == bool(status)


def test_kept_rows_name_the_devices_of_this_machine():
  placement = parallel.make_placement()
  assert chips.kept_name('local', placement) == 'local, cpu'
  assert chips.kept_name('v5e:2x2', placement) == 'v5e:2x2'


def test_without_the_compiler(monkeypatch):
  def fail(**_):
    raise NotImplementedError('topology not implemented for cuda')

  monkeypatch.setattr(chips.topologies, 'get_topology_desc', fail)
  with pytest.raises(UserError, match='owdfa-jax.cuda-compiler') as raised:
    chips.placement_of('h100:8')
  assert '\n' not in str(raised.value)


@pytest.mark.slow
@pytest.mark.skipif(
  not find_spec('jax_cuda12_plugin'), reason='needs the CUDA plugin of JAX'
)
def test_a_step_for_gpus_takes_what_it_takes_here():
  sizes = Sizes(batch=256, backbone='small', image=64, width=0.25)
  here, there = (
    compiled_cost(lower_step('cpl', sizes, placement), topology)
    for placement, topology in (
      (parallel.make_placement(), 'local'),
      (chips.placement_of('h100:8'), 'h100:8'),
    )
  )
  # The two compilers fuse and pad differently.
  assert 0.8 <= there['flops'] / here['flops'] <= 1.25
  permuted = 'collective-permute'
  assert there['sent'][permuted] <= 1.1 * here['sent'][permuted] + 1024
  # Some sums become a reduce-scatter and a gather. The features would be
  # megabytes.
  assert there['sent']['all-gather'] < 2**17
