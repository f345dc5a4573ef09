"""What is kept, what comes back, and what an interrupted save leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.training import checkpoints as checkpoints_lib
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.state import TrainState, abstract


def make_state(value, placement):
  state = TrainState(
    step=jnp.int32(value),
    params={'w': jnp.full((4, 3), value, jnp.float32)},
    batch_stats={'mean': jnp.full(3, -value, jnp.float32)},
    opt_state=({'m': jnp.full((4, 3), 2 * value, jnp.float32)}, ()),
    method={'selected': jnp.full(5, value, jnp.int32)},
  )
  return jax.device_put(state, placement.replicated)


@pytest.fixture
def eight():
  return parallel.place()


@pytest.fixture
def folder(tmp_path):
  return epath.Path(tmp_path)


def fill(folder, placement, scores):
  with Checkpoints(folder) as checkpoints:
    for step, score in enumerate(scores, 1):
      metrics = None if score is None else {'score': score}
      checkpoints.save(step, make_state(step, placement), metrics)


def test_latest_and_best_are_kept_and_nothing_else(folder, eight):
  fill(folder, eight, [0.1, 0.5, 0.3, 0.4, 0.2])
  kept = {p.name for p in (folder / 'checkpoints').iterdir() if p.is_dir()}
  assert kept == {'2', '5'}
  with Checkpoints(folder) as checkpoints:
    assert (checkpoints.best(), checkpoints.latest()) == (2, 5)
    assert checkpoints.last_metrics() == {'checkpoint_step': 5, 'score': 0.2}


def test_state_comes_back_on_fewer_devices(folder, eight):
  fill(folder, eight, [0.5])
  two = parallel.place(jax.devices()[:2])
  with Checkpoints(folder) as checkpoints:
    state = checkpoints.restore(1, make_state(9, two))
  jax.tree.map(np.testing.assert_array_equal, state, make_state(1, eight))
  assert state.params['w'].sharding.num_devices == 2


def test_network_comes_back_alone(folder, eight):
  fill(folder, eight, [0.5])
  like = make_state(0, eight)
  with Checkpoints(folder) as checkpoints:
    params, batch_stats = checkpoints.restore_model(
      1, abstract(like.params), abstract(like.batch_stats)
    )
  np.testing.assert_array_equal(params['w'], np.ones((4, 3)))
  np.testing.assert_array_equal(batch_stats['mean'], -np.ones(3))


def test_unscored_save_does_not_displace_the_best(folder, eight):
  fill(folder, eight, [0.5, None])
  with Checkpoints(folder) as checkpoints:
    assert (checkpoints.best(), checkpoints.latest()) == (1, 2)
    assert checkpoints.last_metrics() is None


def test_without_any_score_the_latest_is_best(folder, eight):
  fill(folder, eight, [None, None])
  with Checkpoints(folder) as checkpoints:
    assert checkpoints.best() == checkpoints.latest() == 2


def test_empty_folder(folder):
  with Checkpoints(folder) as checkpoints:
    assert checkpoints.best() is checkpoints.latest() is None
    assert checkpoints.last_metrics() is None


def test_absent_step_lists_those_there_are(folder, eight):
  fill(folder, eight, [0.5, 0.1])
  like = make_state(0, eight)
  with Checkpoints(folder) as checkpoints:
    with pytest.raises(UserError, match='step 7 .* 1, 2 '):
      checkpoints.restore_model(7, like.params, like.batch_stats)


def test_step_saved_twice_is_kept_as_it_was(folder, eight):
  with Checkpoints(folder) as checkpoints:
    checkpoints.save(1, make_state(1, eight), {'score': 0.5})
    checkpoints.save(1, make_state(2, eight))
    checkpoints.wait()
    state = checkpoints.restore(1, make_state(0, eight))
    assert checkpoints.last_metrics() == {'checkpoint_step': 1, 'score': 0.5}
  assert state.step == 1


def test_remains_of_a_killed_save_are_cleared(folder, eight):
  fill(folder, eight, [0.5])
  remains = folder / 'checkpoints' / '7.orbax-checkpoint-tmp'
  remains.mkdir()
  with Checkpoints(folder) as checkpoints:
    assert checkpoints.latest() == 1
    # Clearing goes on in the background; the next save waits for it.
    checkpoints.save(2, make_state(2, eight))
  assert not remains.exists()


def test_full_disk_is_told_before_saving(folder, eight, monkeypatch):
  def full(descriptor, offset, length):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(checkpoints_lib.os, 'posix_fallocate', full)
  with Checkpoints(folder) as checkpoints:
    with pytest.raises(UserError, match='No space left.*resume'):
      checkpoints.save(1, make_state(1, eight))
    assert checkpoints.latest() is None
