"""Tests of how batches are split over the devices."""

import os
import subprocess
import sys

import jax
import numpy as np
import portpicker
import pytest

from helpers.paths import ROOT
from input_pipeline.errors import UserError
from owdfa_jax import parallel


def test_batch_is_split_over_the_devices_in_order():
  placement = parallel.make_placement()
  rows = np.arange(16, dtype=np.int32)
  whole = placement.put_batch({'index': rows})['index']
  assert whole.sharding == placement.by_batch
  np.testing.assert_array_equal(whole, rows)
  pieces = [np.asarray(shard.data) for shard in whole.addressable_shards]
  np.testing.assert_array_equal(np.stack(pieces), rows.reshape(8, 2))


# A process of a pod whose mesh passes each process twice; argv is its number
# and the port of process 0.
_MIXED_POD = """
import sys
import jax
import numpy as np
from helpers.mixed_mesh import mixed_mesh
from owdfa_jax import parallel

number, port = map(int, sys.argv[1:])
jax.distributed.initialize(f'localhost:{port}', 2, number)
jax.make_mesh = mixed_mesh
placement = parallel.make_placement()
assert [x.process_index for x in placement.mesh.devices] == [0, 1, 0, 1]
whole = {'index': np.arange(8, dtype=np.int32)}
mine = placement.own_part(whole)
print(placement.own_rows(8).tolist(), mine['index'].tolist())
together = placement.put_batch(mine)['index']
everywhere = jax.jit(lambda x: x, out_shardings=placement.replicated)
print(np.asarray(everywhere(together)).tolist())
"""


def test_a_batch_keeps_its_order_on_a_mesh_that_mixes_processes():
  port = str(portpicker.pick_unused_port())
  environment = os.environ | {
    'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tests"}',
    'JAX_NUM_CPU_DEVICES': '2',
    'JAX_CPU_COLLECTIVES_IMPLEMENTATION': 'gloo',
  }
  processes = [
    subprocess.Popen(
      [sys.executable, '-c', _MIXED_POD, str(number), port],
      env=environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for number in range(2)
  ]
  ended = [process.communicate(timeout=120) for process in processes]
  for (out, err), own in zip(ended, ([0, 1, 4, 5], [2, 3, 6, 7]), strict=True):
    # Gloo prints lines of its own between these.
    lines = [line for line in out.splitlines() if 'Gloo' not in line]
    assert lines == [f'{own} {own}', f'{list(range(8))}'], err


@pytest.mark.parametrize('batch_size', [16, 128])
def test_batch_size_that_splits_evenly(batch_size):
  parallel.check_batch_size(batch_size, parallel.make_placement())


@pytest.mark.parametrize('batch_size', [8, 20])
def test_batch_size_that_does_not_split_evenly(batch_size):
  with pytest.raises(UserError, match=f'batch_size={batch_size} .*8 devices'):
    parallel.check_batch_size(batch_size, parallel.make_placement())


def test_one_device_is_no_devices():
  one = parallel.make_placement(jax.devices()[:1])
  with pytest.raises(UserError, match='over 1 device; use a multiple of 2'):
    parallel.check_batch_size(3, one)
  with pytest.raises(UserError, match='of 1 device; use'):
    parallel.check_state_shards(2, one)
  with pytest.raises(UserError, match='.1 device with 4 of the 4 rows each'):
    parallel.check_groups(3, 4, one)


@pytest.mark.parametrize('size', [0, 2, 4, 8, 16, 32])
def test_groups_of_whole_devices_or_within_one(size):
  parallel.check_groups(size, 32, parallel.make_placement())


@pytest.mark.parametrize('size', [1, 3, 6, 12, 24, 64])
def test_groups_that_split_a_device_or_the_batch(size):
  message = f'pair_within={size} .8 devices with 4 of the 32 rows each'
  with pytest.raises(UserError, match=message):
    parallel.check_groups(size, 32, parallel.make_placement())


def test_round_up():
  three = parallel.make_placement(jax.devices()[:3])
  assert [parallel.round_up(n, three) for n in (1, 3, 4)] == [3, 3, 6]


def test_processes_of_a_pod_wait_between_compiling_and_running(monkeypatch):
  happened = []

  class Client:
    def wait_at_barrier(self, name, milliseconds):
      del milliseconds
      happened.append(name)

  @jax.jit
  def double(x):
    jax.debug.callback(lambda: happened.append('runs'))
    return 2 * x

  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  monkeypatch.setattr(parallel.coordination(), 'client', Client())
  together, other = (parallel.compile_together(double) for _ in range(2))
  for function in (together, together, other):
    assert float(function(np.float32(3))) == 6
    jax.effects_barrier()
  barrier, *runs, other_barrier, last = happened
  assert runs == ['runs', 'runs'] and last == 'runs'
  assert barrier != other_barrier


def test_one_process_does_not_wait():
  def function():
    return None

  assert parallel.compile_together(function) is function
