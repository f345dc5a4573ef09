"""Devices that need not be there."""

import types
from importlib.util import find_spec

import jax
import pytest

from input_pipeline.errors import UserError
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
