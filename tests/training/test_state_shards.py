"""Devices that share one copy of the state train as those with their own."""

import jax
import numpy as np
import pytest

from helpers.compilations import count_compilations
from helpers.runs import tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.evaluation.epoch_evaluator import EpochEvaluator
from owdfa_jax.training import loop
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.setup import set_up_training
from owdfa_jax.training.state import abstract_state, create_state

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def shared(packed, tmp_path_factory):
  """A run whose eight devices hold two copies of the state."""
  folder = tmp_path_factory.mktemp('shared')
  return tiny_experiment(packed, folder, state_shards=4)


@pytest.fixture(scope='module')
def copied(packed, tmp_path_factory):
  """The same run with a copy on each device."""
  return tiny_experiment(packed, tmp_path_factory.mktemp('copied'))


@pytest.fixture(scope='module')
def two_steps(shared):
  """The state of the first run after two steps, and their reports."""
  return steps_taken(shared)


def steps_taken(experiment):
  """Returns the state and the reports after two steps."""
  training = set_up_training(experiment)
  batches = loop.open_batches(experiment, 0)
  state = create_state(training.init, 0, experiment.placement)
  reports = []
  for _ in range(2):
    batch = experiment.placement.put_batch(next(batches))
    state, report = training.train_step(state, batch)
    reports.append(report)
  return state, reports


def test_large_arrays_are_split_and_small_ones_copied(two_steps):
  state, _ = two_steps
  arrays = jax.tree.leaves((state.params, state.opt_state))
  split = [x for x in arrays if not x.is_fully_replicated]
  assert len(split) >= 3
  for x in arrays:
    part = x.addressable_shards[0].data.size
    assert part * (4 if not x.is_fully_replicated else 1) == x.size
    large = x.size >= 4096 and any(size % 4 == 0 for size in x.shape)
    assert x.is_fully_replicated != large
  rest = jax.tree.leaves((state.step, state.batch_stats, state.method_state))
  assert all(x.is_fully_replicated for x in rest)


def test_steps_are_those_of_copies(two_steps, copied):
  one, other = two_steps, steps_taken(copied)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5),
    jax.device_get(one[0].params),
    jax.device_get(other[0].params),
  )
  for a, b in zip(one[1], other[1], strict=True):
    np.testing.assert_allclose(a.numbers['loss'], b.numbers['loss'], rtol=1e-5)


def test_the_step_is_compiled_once(shared):
  training = set_up_training(shared)
  batches = loop.open_batches(shared, 0)
  state = create_state(training.init, 0, shared.placement)
  compiled = count_compilations()
  counts = []
  for _ in range(3):
    batch = shared.placement.put_batch(next(batches))
    state, _ = training.train_step(state, batch)
    state = training.end_epoch(state)
    counts.append(compiled())
  assert counts[0] == counts[2]


def test_checkpoints_are_read_with_other_copies(two_steps, shared, copied):
  state, _ = two_steps
  with Checkpoints(shared.workdir) as checkpoints:
    checkpoints.save(2, state)
  target = abstract_state(set_up_training(copied).init, copied.placement)
  with Checkpoints(shared.workdir) as checkpoints:
    restored = checkpoints.restore(2, target)
  assert all(x.is_fully_replicated for x in jax.tree.leaves(restored.params))
  jax.tree.map(np.testing.assert_array_equal, restored, state)


@pytest.mark.slow
def test_a_run_is_trained_evaluated_and_resumed(packed, tmp_path):
  """With initial weights, which are read on the host."""
  workdir = tmp_path / 'run'
  one = tiny_experiment(packed, workdir, state_shards=2, epochs=1)
  assert loop.train(one, EpochEvaluator) == 0
  two = tiny_experiment(packed, workdir, state_shards=8)
  assert loop.train(two, EpochEvaluator) == 0
  again = tiny_experiment(
    packed,
    tmp_path / 'again',
    state_shards=2,
    epochs=1,
    model__init=str(workdir),
  )
  assert loop.train(again, EpochEvaluator) == 0


def test_devices_that_do_not_fall_into_groups(packed, tmp_path):
  with pytest.raises(UserError, match='state_shards=3 of 8 devices'):
    tiny_experiment(packed, tmp_path, state_shards=3)
  placement = parallel.make_placement()
  parallel.check_state_shards(8, placement)
