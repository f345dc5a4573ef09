"""The weights a run begins with: another run's, one of its checkpoints."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from helpers.runs import fresh_state, tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax import weights
from owdfa_jax.evaluation import evaluate
from owdfa_jax.training import state
from owdfa_jax.training.checkpoints import Checkpoints, read_network
from owdfa_jax.training.initial import checkpoint_of, start_from
from owdfa_jax.training.loop import train
from owdfa_jax.training.workdir import claim_workdir

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def trained(packed, tmp_path_factory):
  experiment = tiny_experiment(packed, tmp_path_factory.mktemp('trained'))
  assert train(experiment) == 0
  return experiment


@pytest.fixture(scope='module')
def best(trained):
  """The network of its best checkpoint, and that checkpoint's step."""
  start = fresh_state(trained)
  with Checkpoints(trained.workdir) as checkpoints:
    step = checkpoints.best()
    network = checkpoints.restore_model(
      step, *(state.abstract(x) for x in (start.params, start.batch_stats))
    )
  return network, step


@pytest.mark.parametrize('whole_run', [True, False])
def test_a_run_hands_on_its_network(trained, best, whole_run, capsys):
  network, step = best
  init = trained.workdir if whole_run else checkpoint_of(trained.workdir, step)
  start = start_from(str(init), fresh_state(trained))
  jax.tree.map(
    np.testing.assert_array_equal, (start.params, start.batch_stats), network
  )
  assert start.step == 0 and 'initialised with' in capsys.readouterr().out
  before = jax.tree.leaves(fresh_state(trained).opt_state)
  for ours, fresh in zip(jax.tree.leaves(start.opt_state), before, strict=True):
    np.testing.assert_array_equal(ours, fresh)
  fresh = jax.tree.leaves(fresh_state(trained).params)
  for ours, drawn in zip(jax.tree.leaves(start.params), fresh, strict=True):
    assert ours.sharding == drawn.sharding


def test_a_file_of_weights_does_too(trained, best, tmp_path, capsys):
  (params, batch_stats), _ = best
  path = tmp_path / 'weights.npz'
  np.savez(path, **weights.state_dict(params, batch_stats))
  start = start_from(str(path), fresh_state(trained))
  jax.tree.map(
    np.testing.assert_array_equal,
    (start.params, start.batch_stats),
    (params, batch_stats),
  )
  assert f'from {path}' in capsys.readouterr().out


def test_another_method_takes_what_it_can_and_says_the_rest(
  trained, packed, tmp_path, capsys
):
  """The attention that CAL adds, and its wider head, are drawn as always."""
  cal = tiny_experiment(
    packed, tmp_path, 'cal', method__params__estimate_classes=True
  )
  fresh = fresh_state(cal)
  start = start_from(str(trained.workdir), fresh)
  said = capsys.readouterr().out
  assert 'without a source: frequency_attention' in said
  assert 'fc2.weight (4, 32) for (20, 32), left out' in said or (
    'of another shape, left out: fc2' in said
  )
  kernel = lambda s: np.asarray(s.params['fc2']['kernel'][...])
  np.testing.assert_array_equal(kernel(start), kernel(fresh))
  stem = lambda s: np.asarray(jax.tree.leaves(s.params['backbone'])[0])
  assert not np.array_equal(stem(start), stem(fresh))


def test_the_head_can_be_left_out(trained):
  fresh = fresh_state(trained)
  start = start_from(str(trained.workdir), fresh, with_head=False)
  head = lambda s: np.asarray(s.params['fc2']['kernel'][...])
  neck = lambda s: np.asarray(s.params['bottleneck']['scale'][...])
  np.testing.assert_array_equal(head(start), head(fresh))
  assert not np.array_equal(neck(start), neck(fresh))


def test_a_run_of_eight_devices_hands_on_to_one(trained, tmp_path):
  """In a process that has one device; saving had eight."""
  command = (
    'import sys; from etils import epath;'
    'from owdfa_jax.training.checkpoints import read_network;'
    'from owdfa_jax import weights;'
    'params, _ = read_network(epath.Path(sys.argv[1]));'
    "print(float(weights.state_dict(params)['fc2.weight'].sum()))"
  )
  printed = subprocess.run(
    [sys.executable, '-c', command, str(trained.workdir)],
    env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
    capture_output=True,
    text=True,
    check=True,
  ).stdout
  params, _ = read_network(trained.workdir)
  total = float(weights.state_dict(params)['fc2.weight'].sum())
  assert float(printed) == pytest.approx(total)


def test_reading_leaves_a_save_under_way_alone(trained):
  under_way = trained.workdir / 'checkpoints' / '9.orbax-checkpoint-tmp'
  under_way.mkdir()
  try:
    start_from(str(trained.workdir), fresh_state(trained))
    evaluate.restore(trained)
    assert under_way.exists()
  finally:
    under_way.rmdir()


def test_training_begins_there(trained, packed, tmp_path, capsys):
  experiment = tiny_experiment(
    packed, tmp_path, epochs=1, model__init=str(trained.workdir)
  )
  assert train(experiment) == 0
  assert f'from {trained.workdir}' in capsys.readouterr().out


@pytest.mark.parametrize(
  'make, message',
  [
    (lambda folder: folder / 'none', 'no such weights'),
    (lambda folder: folder, 'no checkpoint'),
  ],
)
def test_nothing_there(trained, tmp_path, make, message):
  with pytest.raises(UserError, match=message):
    start_from(str(make(tmp_path)), fresh_state(trained))


def test_another_backbone_is_told(trained, packed, tmp_path):
  wider = tiny_experiment(packed, tmp_path, model__width=0.25)
  with pytest.raises(UserError, match='another shape.*model.width'):
    start_from(str(trained.workdir), fresh_state(wider))


def test_a_refused_start_can_be_corrected(packed, tmp_path):
  nowhere = tiny_experiment(packed, tmp_path, model__init='nowhere.npz')
  with pytest.raises(UserError, match='no such weights'):
    train(nowhere)
  claim_workdir(tiny_experiment(packed, tmp_path, model__width=0.25))
