"""Tests of which checkpoints are kept, restored and removed."""

import os
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.training import disk_space
from owdfa_jax.training.checkpoints import (
  Checkpoints,
  restore_model,
)
from owdfa_jax.training.disk_space import space_needed
from owdfa_jax.training.saved_steps import read_scores, saved_steps
from owdfa_jax.training.state import TrainState


def make_state(value, placement):
  state = TrainState(
    step=jnp.int32(value),
    params={'w': jnp.full((4, 3), value, jnp.float32)},
    batch_stats={'mean': jnp.full(3, -value, jnp.float32)},
    opt_state=({'m': jnp.full((4, 3), 2 * value, jnp.float32)}, ()),
    method_state={'selected': jnp.full(5, value, jnp.int32)},
  )
  return jax.device_put(state, placement.replicated)


def abstract(state):
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
    state,
  )


@pytest.fixture
def eight():
  return parallel.make_placement()


@pytest.fixture
def folder(tmp_path):
  return epath.Path(tmp_path)


def save_all(folder, placement, scores):
  """Saves steps 1, 2, ... with these selection scores; None for no metrics."""
  with Checkpoints(folder) as checkpoints:
    for step, score in enumerate(scores, 1):
      metrics = None if score is None else {'selection_score': score}
      checkpoints.save(step, make_state(step, placement), metrics)


def test_latest_and_best_are_kept_and_no_others(folder, eight):
  save_all(folder, eight, [0.1, 0.5, 0.3, 0.4, 0.2])
  kept = {p.name for p in (folder / 'checkpoints').iterdir() if p.is_dir()}
  assert kept == {'2', '5'}
  with Checkpoints(folder) as checkpoints:
    assert checkpoints.latest_step() == 5
  scores = read_scores(folder)
  assert scores.best_step() == 2
  assert scores.latest_metrics() == {
    'checkpoint_step': 5,
    'selection_score': 0.2,
  }


@pytest.mark.parametrize('scores', [[0.5, 0.3, 0.2], [None, None, None]])
def test_what_a_kill_after_the_last_save_left_is_removed(
  folder, eight, tmp_path, scores
):
  checkpoints = folder / 'checkpoints'
  save_all(folder, eight, scores[:2])
  shutil.copytree(checkpoints / '2', tmp_path / 'kept')
  shutil.rmtree(folder / 'checkpoints')
  save_all(folder, eight, scores)
  wanted = saved_steps(folder)
  assert 2 not in wanted
  shutil.copytree(tmp_path / 'kept', checkpoints / '2')
  with Checkpoints(folder) as opened:
    opened.remove_others()
  assert saved_steps(folder) == wanted
  assert not (checkpoints / 'removed').exists()


def test_run_with_the_old_names_of_metrics_can_go_on(folder, eight):
  """Earlier versions had `score` and `estimated_classes`."""
  with Checkpoints(folder) as checkpoints:
    for step, score in enumerate([0.1, 0.5, 0.3], 1):
      metrics = {'score': score, 'estimated_classes': 10 + step}
      checkpoints.save(step, make_state(step, eight), metrics)
  scores = read_scores(folder)
  assert scores.best_step() == 2
  assert scores.latest_metrics() == {
    'checkpoint_step': 3,
    'selection_score': 0.3,
    'num_outputs_in_use': 13,
  }
  with Checkpoints(folder) as checkpoints:
    checkpoints.save(4, make_state(4, eight), {'selection_score': 0.4})
  assert saved_steps(folder) == [2, 4]
  assert read_scores(folder).best_step() == 2


def test_state_is_restored_on_fewer_devices(folder, eight):
  save_all(folder, eight, [0.5])
  two = parallel.make_placement(jax.devices()[:2])
  with Checkpoints(folder) as checkpoints:
    state = checkpoints.restore(1, abstract(make_state(9, two)))
  jax.tree.map(np.testing.assert_array_equal, state, make_state(1, eight))
  assert state.params['w'].sharding.num_devices == 2


def test_network_is_restored_alone(folder, eight):
  save_all(folder, eight, [0.5])
  target = make_state(0, eight)
  params, batch_stats = restore_model(
    folder / 'checkpoints' / '1', target.params, target.batch_stats
  )
  np.testing.assert_array_equal(params['w'], np.ones((4, 3)))
  np.testing.assert_array_equal(batch_stats['mean'], -np.ones(3))


def test_checkpoint_without_score_does_not_replace_the_best(folder, eight):
  save_all(folder, eight, [0.5, None])
  scores = read_scores(folder)
  assert set(scores.metrics) == {1, 2}
  assert scores.best_step() == 1
  assert scores.latest_metrics() is None


def test_without_any_score_the_latest_is_best(folder, eight):
  save_all(folder, eight, [None, None])
  assert saved_steps(folder) == [2]
  assert read_scores(folder).best_step() == 2


def test_empty_folder_has_no_checkpoint(folder):
  with Checkpoints(folder) as checkpoints:
    assert checkpoints.latest_step() is None
  scores = read_scores(folder)
  assert scores.best_step() is scores.latest_metrics() is None


def test_saving_a_step_again_changes_nothing(folder, eight):
  with Checkpoints(folder) as checkpoints:
    checkpoints.save(1, make_state(1, eight), {'selection_score': 0.5})
    checkpoints.save(1, make_state(2, eight))
    checkpoints.wait()
    state = checkpoints.restore(1, make_state(0, eight))
  assert state.step == 1
  assert read_scores(folder).latest_metrics() == {
    'checkpoint_step': 1,
    'selection_score': 0.5,
  }


def test_remains_of_a_killed_save_are_removed(folder, eight):
  save_all(folder, eight, [0.5])
  remains = folder / 'checkpoints' / '7.orbax-checkpoint-tmp'
  remains.mkdir()
  # A checkpoint that was being removed, and the space for another one.
  (folder / 'checkpoints' / 'removed' / '0').mkdir(parents=True)
  (folder / 'checkpoints' / '.space').write_text('')
  with Checkpoints(folder) as checkpoints:
    assert checkpoints.latest_step() == 1
    # They are removed in the background; the next save waits for that.
    checkpoints.save(2, make_state(2, eight))
  names = {path.name for path in (folder / 'checkpoints').iterdir()}
  assert names == {'1', '2'}


def test_items_on_disk_keep_their_names(folder, eight):
  """Checkpoints of earlier versions have these items and keys."""
  save_all(folder, eight, [0.5])
  keys = {}
  with ocp.PyTreeCheckpointer() as checkpointer:
    for item in ('model', 'train'):
      metadata = checkpointer.metadata(folder / 'checkpoints' / '1' / item)
      keys[item] = set(metadata.item_metadata.tree)
  assert keys == {
    'model': {'params', 'batch_stats'},
    'train': {'step', 'opt_state', 'method'},
  }


def test_space_asked_for_is_enough(folder, eight):
  """The index of many small arrays takes more space than the arrays."""
  state = make_state(1, eight).replace(
    params={f'layer{i}': jnp.full(200, i, jnp.float32) for i in range(100)},
    opt_state={f'layer{i}': jnp.full(200, i, jnp.float32) for i in range(200)},
  )
  with Checkpoints(folder) as checkpoints:
    checkpoints.save(1, state, {'selection_score': 0.5})
  files = pathlib.Path(folder, 'checkpoints').rglob('*')
  taken = sum(os.stat(file).st_blocks * 512 for file in files)
  arrays = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
  items = (
    {'params': state.params},
    {'opt_state': state.opt_state, 'method_state': state.method_state},
  )
  assert arrays < taken < space_needed(items)


def test_full_disk_is_an_error_before_saving(folder, eight, monkeypatch):
  def full(descriptor, offset, length):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(disk_space.os, 'posix_fallocate', full)
  with Checkpoints(folder) as checkpoints:
    with pytest.raises(UserError, match='No space left.*resume'):
      checkpoints.save(1, make_state(1, eight))
    assert checkpoints.latest_step() is None


def test_other_processes_ask_for_space_for_their_own_files(
  folder, eight, monkeypatch
):
  """The processes of a pod share one file system."""
  asked = []
  with Checkpoints(folder) as checkpoints:
    # Orbax would wait for the other process.
    saved = []
    monkeypatch.setattr(
      checkpoints._manager, 'save', lambda step, **_: saved.append(step)
    )
    monkeypatch.setattr(
      disk_space.os, 'posix_fallocate', lambda *x: asked.append(x[2])
    )
    monkeypatch.setattr(jax, 'process_index', lambda: 1)
    checkpoints.save(1, make_state(1, eight))
    monkeypatch.undo()
    assert saved == [1]
    assert asked == [512 << 10]


@pytest.mark.parametrize('error', [ValueError('a defect'), RuntimeError()])
def test_defects_are_not_reported_as_a_full_disk(
  folder, eight, monkeypatch, error
):
  def fail(*arguments, **keywords):
    raise error

  with Checkpoints(folder) as checkpoints:
    monkeypatch.setattr(checkpoints._manager, 'save', fail)
    with pytest.raises(type(error)) as raised:
      checkpoints.save(1, make_state(1, eight))
  assert raised.value is error


def test_error_without_a_message_is_reported(folder, eight, monkeypatch):
  def fail(*arguments, **keywords):
    raise PermissionError

  with Checkpoints(folder) as checkpoints:
    monkeypatch.setattr(checkpoints._manager, 'save', fail)
    with pytest.raises(UserError, match=r'checkpoints \(PermissionError\)'):
      checkpoints.save(1, make_state(1, eight))
