"""Tests of the training loop: resuming, signals, the log, checkpoints."""

import gc
import json
import signal

import jax
import numpy as np
import pytest

from helpers.runs import stop_after, tiny_experiment
from input_pipeline import pipeline, pseudo_labels, supervision
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.evaluation import evaluate
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.training import loop
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.evaluator import EpochResult
from owdfa_jax.training.loop import train
from owdfa_jax.training.saved_steps import read_scores, saved_steps
from owdfa_jax.training.setup import set_up_training
from owdfa_jax.training.state import abstract_state

pytestmark = pytest.mark.usefixtures('quick_compile')


def read_log(workdir):
  text = (workdir / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def logged_steps(workdir, prefix):
  """Returns the steps for which names beginning with `prefix` are logged."""
  return [
    line['step']
    for line in read_log(workdir)
    if any(name.startswith(prefix) for name in line)
  ]


def saved_state(experiment):
  """Returns the latest checkpoint as numpy arrays."""
  init = set_up_training(experiment).init
  target = abstract_state(init, experiment.placement)
  with Checkpoints(experiment.workdir) as checkpoints:
    return jax.device_get(
      checkpoints.restore(checkpoints.latest_step(), target)
    )


def assert_equal_states(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope='module')
def whole(packed, tmp_path_factory):
  """The experiment of an uninterrupted run of two epochs."""
  experiment = tiny_experiment(packed, tmp_path_factory.mktemp('whole'))
  assert train_with_evaluation(experiment) == 0
  return experiment


def test_log_has_losses_rates_and_evaluations(whole):
  epoch = saved_state(whole).step // 2
  assert logged_steps(whole.workdir, 'eval/') == [epoch, 2 * epoch]
  every_second = list(range(2, 2 * epoch + 1, 2))
  assert logged_steps(whole.workdir, 'train/') == every_second
  first = read_log(whole.workdir)[0]
  for name in (
    'train/loss',
    'train/cross_entropy',
    'train/partner_right',
    'train/learning_rate',
    'time/steps_per_second',
    'time/images_per_second',
    'time/input_wait_seconds',
  ):
    assert np.isfinite(first[name]), name
  assert first['time/images_per_second'] == pytest.approx(
    whole.config.batch_size * first['time/steps_per_second']
  )


def test_resumed_run_equals_the_uninterrupted_one(
  whole, packed, tmp_path, capsys
):
  shorter = tiny_experiment(packed, tmp_path, epochs=1)
  assert train_with_evaluation(shorter) == 0
  (tmp_path / 'report.json').write_text('{"checkpoint_step": 7}')
  capsys.readouterr()
  resumed = tiny_experiment(packed, tmp_path)
  assert train_with_evaluation(resumed) == 0
  out = capsys.readouterr().out
  assert '2 epochs instead of 1' in out
  assert 'attributions.csv are of step 7;' in out
  assert_equal_states(saved_state(resumed), saved_state(whole))
  losses = lambda e: [line.get('train/loss') for line in read_log(e.workdir)]
  assert losses(resumed) == losses(whole)


def test_signal_saves_within_an_epoch_and_the_same_command_resumes(
  whole, packed, tmp_path, monkeypatch
):
  stop_after(monkeypatch, 3)
  handler = signal.getsignal(signal.SIGTERM)
  experiment = tiny_experiment(packed, tmp_path)
  assert train_with_evaluation(experiment) == 128 + signal.SIGTERM
  assert saved_state(experiment).step == 3
  assert signal.getsignal(signal.SIGTERM) is handler

  monkeypatch.undo()
  assert train_with_evaluation(experiment) == 0
  assert_equal_states(saved_state(experiment), saved_state(whole))
  train_steps = logged_steps(tmp_path, 'train/')
  assert train_steps == logged_steps(whole.workdir, 'train/')


def test_resuming_holds_one_state_on_the_devices(
  whole, packed, tmp_path, monkeypatch
):
  shorter = tiny_experiment(packed, tmp_path, epochs=1)
  assert train_with_evaluation(shorter) == 0
  stop = saved_state(whole).step // 2 + 1
  restore, held = Checkpoints.restore, []

  def measure_and_restore(self, step, target):
    gc.collect()
    held.extend(x for x in jax.live_arrays() if id(x) not in before)
    return restore(self, step, target)

  monkeypatch.setattr(Checkpoints, 'restore', measure_and_restore)
  stop_after(monkeypatch, stop)
  gc.collect()
  before = {id(x): x for x in jax.live_arrays()}
  resumed = tiny_experiment(packed, tmp_path)
  assert train_with_evaluation(resumed) == 128 + signal.SIGTERM
  size = sum(x.nbytes for x in jax.tree.leaves(saved_state(whole)))
  assert sum(x.nbytes for x in held) < size / 10


def test_fewer_epochs_than_trained_is_an_error(whole, packed, capsys):
  before = (whole.workdir / 'config.json').read_bytes()
  fewer = tiny_experiment(packed, whole.workdir, epochs=1)
  with pytest.raises(UserError, match='epochs=1 .* 2 epochs already trained'):
    train_with_evaluation(fewer)
  # A command that is refused changes and announces nothing.
  assert (whole.workdir / 'config.json').read_bytes() == before
  assert capsys.readouterr().out == ''


def test_checkpoint_that_is_not_finite_leaves_the_record_as_it_was(
  whole, packed, monkeypatch, capsys
):
  def refuse(*arguments):
    raise UserError('not finite')

  monkeypatch.setattr(loop, 'check_restored', refuse)
  before = (whole.workdir / 'config.json').read_bytes()
  more = tiny_experiment(packed, whole.workdir, epochs=3)
  with pytest.raises(UserError, match='not finite'):
    train_with_evaluation(more)
  assert (whole.workdir / 'config.json').read_bytes() == before
  assert 'instead of' not in capsys.readouterr().out


def test_finished_run_has_nothing_left_to_do(whole, capsys):
  before = read_log(whole.workdir)
  assert train_with_evaluation(whole) == 0
  assert read_log(whole.workdir) == before
  assert 'already complete' in capsys.readouterr().out


def test_checkpoint_from_eight_devices_is_evaluated_on_one(
  whole, monkeypatch, capsys
):
  eight = evaluate.evaluate(whole)
  one_device = parallel.make_placement(jax.devices()[:1])
  monkeypatch.setattr(parallel, 'make_placement', lambda: one_device)
  one = evaluate.evaluate(tiny_experiment(whole.dataset.path, whole.workdir))
  assert one['checkpoint_step'] == eight['checkpoint_step']
  assert one['num_examples'] == len(whole.dataset.test)
  assert one['known_acc'] == eight['known_acc']
  assert one['mean_uncertainty'] == pytest.approx(
    eight['mean_uncertainty'], abs=1e-5
  )
  assert '| Known ACC |' in capsys.readouterr().out


def test_best_and_latest_checkpoints_are_kept(whole):
  best = read_scores(whole.workdir).best_step()
  score = {
    line['step']: line['eval/all_nmi']
    for line in read_log(whole.workdir)
    if 'eval/all_nmi' in line
  }
  assert best == max(score, key=score.get)
  assert set(saved_steps(whole.workdir)) == {best, max(score)}


def test_evaluator_decides_which_checkpoint_is_best(packed, tmp_path, capsys):
  """The loop takes any evaluator, here one that prefers the first epoch."""

  class Evaluator:
    def __init__(self, experiment, graphdef):
      del graphdef
      self.num_outputs = experiment.num_outputs

    def evaluate_epoch(self, step, train_state):
      assert int(train_state.step) == step
      metrics = {'selection_score': -float(step), 'outputs': self.num_outputs}
      return EpochResult(metrics, f'summary of step {step}')

  experiment = tiny_experiment(packed, tmp_path)
  assert train(experiment, Evaluator) == 0
  first, last = logged_steps(tmp_path, 'eval/selection_score')
  assert saved_steps(experiment.workdir) == [first, last]
  assert read_scores(experiment.workdir).best_step() == first
  assert f'epoch 1/2  summary of step {first}' in capsys.readouterr().out


def test_batches_get_the_settings_of_the_config(packed, tmp_path, monkeypatch):
  experiment = tiny_experiment(packed, tmp_path / 'labels', epochs=1)
  label = np.where(experiment.dataset.train.tag == 2, 3, -1)
  path = str(tmp_path / 'labels.npz')
  pseudo_labels.write_pseudo_labels(path, experiment.dataset, label)
  received = {}
  train_batches = pipeline.train_batches

  def spy(*arguments, **keywords):
    received.update(keywords)
    return train_batches(*arguments, **keywords)

  monkeypatch.setattr(pipeline, 'train_batches', spy)
  experiment = tiny_experiment(
    packed,
    tmp_path,
    epochs=1,
    data__pseudo_labels=path,
    eval__selection='validation',
    data__validation_share=0.25,
  )
  assert train_with_evaluation(experiment) == 0
  np.testing.assert_array_equal(received['pseudo_label'], label)
  assert received['validation_share'] == 0.25


def test_validation_rows_select_the_checkpoint(packed, tmp_path):
  experiment = tiny_experiment(
    packed,
    tmp_path,
    epochs=1,
    eval__selection='validation',
    eval__metric='known_acc',
    data__validation_share=0.25,
  )
  assert train_with_evaluation(experiment) == 0
  (line,) = (x for x in read_log(tmp_path) if 'eval/selection_score' in x)
  rows = supervision.validation_rows(experiment.dataset, 0, 0.25)
  labelled = (experiment.dataset.train.tag == 1).sum()
  assert len(rows) == pytest.approx(labelled / 4, abs=2)
  # The score is a share of the held-out rows, not of the test split.
  num_right = line['eval/selection_score'] * len(rows)
  assert num_right % 1 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('bound', ['lower_bound', 'upper_bound'])
def test_bounds_train_for_as_many_steps(whole, packed, tmp_path, bound):
  experiment = tiny_experiment(packed, tmp_path, bound)
  assert train_with_evaluation(experiment) == 0
  evaluations = logged_steps(tmp_path, 'eval/')
  assert evaluations == logged_steps(whole.workdir, 'eval/')
