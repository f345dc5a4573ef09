"""Tests of initial weights from a run, one of its checkpoints, or a file."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from helpers.runs import initial_state, tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax import weights
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.training.checkpoints import read_network, restore_model
from owdfa_jax.training.initial_weights import load_initial_weights
from owdfa_jax.training.run_record import checkpoint_path
from owdfa_jax.training.state import abstract_network
from owdfa_jax.training.verification import choose_checkpoint
from owdfa_jax.training.workdir import claim_workdir

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def trained(packed, tmp_path_factory):
  experiment = tiny_experiment(packed, tmp_path_factory.mktemp('trained'))
  assert train_with_evaluation(experiment) == 0
  return experiment


@pytest.fixture(scope='module')
def best(trained):
  """The network of the trained run's best checkpoint, and its step."""
  _, params, batch_stats = abstract_network(trained.build, trained.placement)
  folder, _ = choose_checkpoint(trained.workdir)
  return restore_model(folder, params, batch_stats), int(folder.name)


@pytest.mark.parametrize('whole_run', [True, False])
def test_weights_come_from_a_run_and_the_rest_is_new(
  trained, best, whole_run, capsys
):
  network, step = best
  init = (
    trained.workdir if whole_run else checkpoint_path(trained.workdir, step)
  )
  start = load_initial_weights(str(init), initial_state(trained))
  jax.tree.map(
    np.testing.assert_array_equal, (start.params, start.batch_stats), network
  )
  assert start.step == 0 and 'initialised with' in capsys.readouterr().out
  before = jax.tree.leaves(initial_state(trained).opt_state)
  for ours, fresh in zip(jax.tree.leaves(start.opt_state), before, strict=True):
    np.testing.assert_array_equal(ours, fresh)
  fresh = jax.tree.leaves(initial_state(trained).params)
  for ours, drawn in zip(jax.tree.leaves(start.params), fresh, strict=True):
    assert ours.sharding == drawn.sharding


def test_weights_come_from_a_file(trained, best, tmp_path, capsys):
  (params, batch_stats), _ = best
  path = tmp_path / 'weights.npz'
  np.savez(path, **weights.to_state_dict(params, batch_stats))
  start = load_initial_weights(str(path), initial_state(trained))
  jax.tree.map(
    np.testing.assert_array_equal,
    (start.params, start.batch_stats),
    (params, batch_stats),
  )
  assert f'from {path}' in capsys.readouterr().out


def test_other_method_takes_what_fits_and_reports_the_rest(
  trained, packed, tmp_path, capsys
):
  """CAL's attention and its wider head keep their random values."""
  cal = tiny_experiment(
    packed, tmp_path, 'cal', method__params__estimate_classes=True
  )
  fresh = initial_state(cal)
  start = load_initial_weights(str(trained.workdir), fresh)
  said = capsys.readouterr().out
  assert 'not in the source: frequency_attention' in said
  assert 'not loaded for their shape: fc2' in said
  kernel = lambda s: np.asarray(s.params['fc2']['kernel'][...])
  np.testing.assert_array_equal(kernel(start), kernel(fresh))
  stem = lambda s: np.asarray(jax.tree.leaves(s.params['backbone'])[0])
  assert not np.array_equal(stem(start), stem(fresh))


def test_head_can_be_left_out(trained):
  fresh = initial_state(trained)
  start = load_initial_weights(str(trained.workdir), fresh, with_head=False)
  head = lambda s: np.asarray(s.params['fc2']['kernel'][...])
  neck = lambda s: np.asarray(s.params['bottleneck']['scale'][...])
  np.testing.assert_array_equal(head(start), head(fresh))
  assert not np.array_equal(neck(start), neck(fresh))


def test_checkpoint_from_eight_devices_is_read_on_one(trained, tmp_path):
  """Reads it in a process that has only one device."""
  command = (
    'import sys; from etils import epath;'
    'from owdfa_jax.training.checkpoints import read_network;'
    'from owdfa_jax import weights;'
    'params, _ = read_network(epath.Path(sys.argv[1]));'
    "print(float(weights.to_state_dict(params)['fc2.weight'].sum()))"
  )
  printed = subprocess.run(
    [sys.executable, '-c', command, str(trained.workdir)],
    env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
    capture_output=True,
    text=True,
    check=True,
  ).stdout
  params, _ = read_network(trained.workdir)
  total = float(weights.to_state_dict(params)['fc2.weight'].sum())
  assert float(printed) == pytest.approx(total)


def test_reading_does_not_remove_a_save_in_progress(trained):
  in_progress = trained.workdir / 'checkpoints' / '9.orbax-checkpoint-tmp'
  in_progress.mkdir()
  try:
    load_initial_weights(str(trained.workdir), initial_state(trained))
    restore_network(trained)
    assert in_progress.exists()
  finally:
    in_progress.rmdir()


def test_training_starts_from_the_weights(trained, packed, tmp_path, capsys):
  experiment = tiny_experiment(
    packed, tmp_path, epochs=1, model__init=str(trained.workdir)
  )
  assert train_with_evaluation(experiment) == 0
  assert f'from {trained.workdir}' in capsys.readouterr().out


@pytest.mark.parametrize(
  'make, message',
  [
    (lambda folder: folder / 'none', 'no such weights'),
    (lambda folder: folder, 'no checkpoint'),
  ],
)
def test_missing_weights_are_an_error(trained, tmp_path, make, message):
  with pytest.raises(UserError, match=message):
    load_initial_weights(str(make(tmp_path)), initial_state(trained))


def test_weights_of_another_backbone_are_an_error(trained, packed, tmp_path):
  wider = tiny_experiment(packed, tmp_path, model__width=0.25)
  with pytest.raises(UserError, match='another shape.*model.width'):
    load_initial_weights(str(trained.workdir), initial_state(wider))


def test_workdir_of_a_failed_start_can_be_used_again(packed, tmp_path):
  nowhere = tiny_experiment(packed, tmp_path, model__init='nowhere.npz')
  with pytest.raises(UserError, match='no such weights'):
    train_with_evaluation(nowhere)
  claim_workdir(tiny_experiment(packed, tmp_path, model__width=0.25))


@pytest.mark.parametrize('value', [np.nan, -np.inf, 1e300])
def test_weights_that_are_not_finite_are_refused(
  value, trained, best, tmp_path
):
  (params, batch_stats), _ = best
  tensors = weights.to_state_dict(params, batch_stats)
  name = next(x for x in tensors if x.endswith('weight'))
  tensor = tensors[name].astype(np.float64)
  tensor.flat[3] = value
  path = tmp_path / 'weights.npz'
  np.savez(path, **tensors | {name: tensor})
  message = f'weights.npz: {name} has 1 of {tensor.size} numbers'
  with pytest.raises(UserError, match=message):
    load_initial_weights(str(path), initial_state(trained))
