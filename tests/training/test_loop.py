"""The loop: resume, signals, the log, the devices."""

import json
import signal

import jax
import numpy as np
import pytest

from helpers.runs import fresh_state, stop_after, tiny_experiment
from input_pipeline import pipeline, pseudo_labels, supervision
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.evaluation import evaluate
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.loop import train

pytestmark = pytest.mark.usefixtures('quick_compile')


def lines(workdir):
  text = (workdir / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def steps_of(workdir, prefix):
  return [
    line['step']
    for line in lines(workdir)
    if any(name.startswith(prefix) for name in line)
  ]


def saved_state(experiment):
  """The latest checkpoint as numpy."""
  blank = fresh_state(experiment)
  with Checkpoints(experiment.workdir) as checkpoints:
    return jax.device_get(checkpoints.restore(checkpoints.latest(), blank))


def assert_equal_states(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope='module')
def whole(packed, tmp_path_factory):
  """An uninterrupted run of two epochs."""
  experiment = tiny_experiment(packed, tmp_path_factory.mktemp('whole'))
  assert train(experiment) == 0
  return experiment


def test_log_has_losses_rates_and_evaluations(whole):
  epoch = saved_state(whole).step // 2
  assert steps_of(whole.workdir, 'eval/') == [epoch, 2 * epoch]
  assert steps_of(whole.workdir, 'train/') == list(range(2, 2 * epoch + 1, 2))
  first = lines(whole.workdir)[0]
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
  assert train(tiny_experiment(packed, tmp_path, epochs=1)) == 0
  capsys.readouterr()
  assert train(tiny_experiment(packed, tmp_path)) == 0
  assert '2 epochs instead of 1' in capsys.readouterr().out
  resumed = tiny_experiment(packed, tmp_path)
  assert_equal_states(saved_state(resumed), saved_state(whole))
  losses = lambda e: [line.get('train/loss') for line in lines(e.workdir)]
  assert losses(resumed) == losses(whole)


def test_signal_saves_in_the_middle_and_the_same_command_goes_on(
  whole, packed, tmp_path, monkeypatch
):
  after = 3
  stop_after(monkeypatch, after)
  handler = signal.getsignal(signal.SIGTERM)
  experiment = tiny_experiment(packed, tmp_path)
  assert train(experiment) == 128 + signal.SIGTERM
  assert saved_state(experiment).step == after
  assert signal.getsignal(signal.SIGTERM) is handler

  monkeypatch.undo()
  assert train(experiment) == 0
  assert_equal_states(saved_state(experiment), saved_state(whole))
  assert steps_of(tmp_path, 'train/') == steps_of(whole.workdir, 'train/')


def test_fewer_epochs_than_are_done(whole, packed):
  with pytest.raises(UserError, match='epochs=1, but 2 epochs are done'):
    train(tiny_experiment(packed, whole.workdir, epochs=1))


def test_finished_run_has_nothing_left_to_do(whole, packed):
  before = lines(whole.workdir)
  assert train(whole) == 0
  assert lines(whole.workdir) == before


def test_checkpoint_of_eight_devices_is_evaluated_on_one(
  whole, monkeypatch, capsys
):
  eight = evaluate.evaluate(whole)
  one_device = parallel.place(jax.devices()[:1])
  monkeypatch.setattr(parallel, 'place', lambda: one_device)
  one = evaluate.evaluate(tiny_experiment(whole.dataset.path, whole.workdir))
  assert one['checkpoint_step'] == eight['checkpoint_step']
  assert one['num_examples'] == len(whole.dataset.test)
  assert one['known_acc'] == eight['known_acc']
  assert one['mean_uncertainty'] == pytest.approx(
    eight['mean_uncertainty'], abs=1e-5
  )
  assert '| Known ACC |' in capsys.readouterr().out


def test_best_and_latest_are_kept(whole):
  with Checkpoints(whole.workdir) as checkpoints:
    best, latest = checkpoints.best(), checkpoints.latest()
  judged = {
    line['step']: line['eval/all_nmi']
    for line in lines(whole.workdir)
    if 'eval/all_nmi' in line
  }
  assert best == max(judged, key=judged.get)
  assert latest == max(judged)


def test_the_stream_gets_what_the_config_says(packed, tmp_path, monkeypatch):
  experiment = tiny_experiment(packed, tmp_path / 'labels', epochs=1)
  label = np.where(experiment.dataset.train.tag == 2, 3, -1)
  path = str(tmp_path / 'labels.npz')
  pseudo_labels.write(path, experiment.dataset, label)
  given = {}
  whole_stream = pipeline.train_batches

  def spy(*arguments, **keywords):
    given.update(keywords)
    return whole_stream(*arguments, **keywords)

  monkeypatch.setattr(pipeline, 'train_batches', spy)
  asked = {
    'data__pseudo_labels': path,
    'eval__selection': 'validation',
    'data__validation_share': 0.25,
  }
  assert train(tiny_experiment(packed, tmp_path, epochs=1, **asked)) == 0
  np.testing.assert_array_equal(given['pseudo_label'], label)
  assert given['validation_share'] == 0.25


def test_validation_rows_select_and_are_not_trained_on(packed, tmp_path):
  experiment = tiny_experiment(
    packed,
    tmp_path,
    epochs=1,
    eval__selection='validation',
    eval__metric='known_acc',
    data__validation_share=0.25,
  )
  assert train(experiment) == 0
  (line,) = (x for x in lines(tmp_path) if 'eval/score' in x)
  rows = supervision.validation_rows(experiment.dataset, 0, 0.25)
  labelled = (experiment.dataset.train.tag == 1).sum()
  assert len(rows) == pytest.approx(labelled / 4, abs=2)
  # A share of as many images as are held out, not as are in the test split.
  assert (line['eval/score'] * len(rows)) % 1 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('bound', ['lower_bound', 'upper_bound'])
def test_bounds_train_on_the_same_budget(whole, packed, tmp_path, bound):
  experiment = tiny_experiment(packed, tmp_path, bound)
  assert train(experiment) == 0
  assert steps_of(tmp_path, 'eval/') == steps_of(whole.workdir, 'eval/')
