"""Tests of runs whose training diverges: they stop, or skip and count."""

import json
import re
import signal
import types

import jax
import ml_collections
import numpy as np
import pytest
from etils import epath

from helpers.diverging import diverge_at
from helpers.runs import stop_after, tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.training import divergence
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.divergence import SkippedSteps, skipped_before
from owdfa_jax.training.evaluator import EpochResult
from owdfa_jax.training.loop import train
from owdfa_jax.training.setup import set_up_training
from owdfa_jax.training.state import abstract_state

pytestmark = pytest.mark.usefixtures('quick_compile')

# An epoch of the tests' dataset has six steps, so the sixth is followed by an
# evaluation and a save.
BAD = 6
LAST = 12


def strict_lines(workdir):
  """Returns the objects of `metrics.jsonl`; NaN and Infinity raise."""

  def refuse(constant):
    raise ValueError(constant)

  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line, parse_constant=refuse) for line in lines]


def make_experiment(packed, workdir, **changes):
  """Returns an experiment that diverges at step `BAD`."""
  changes = {'log__every_steps': 4} | changes
  experiment = tiny_experiment(packed, workdir, 'lower_bound', **changes)
  return diverge_at(experiment, BAD)


def saved_state(experiment):
  target = abstract_state(
    set_up_training(experiment).init, experiment.placement
  )
  with Checkpoints(experiment.workdir) as checkpoints:
    state = checkpoints.restore(checkpoints.latest_step(), target)
  return jax.device_get(state)


@pytest.fixture(scope='module')
def skipping(packed, tmp_path_factory):
  """The experiment of a whole run that has skipped step `BAD`."""
  workdir = tmp_path_factory.mktemp('skipping')
  experiment = make_experiment(packed, workdir, on_divergence='skip')
  assert train_with_evaluation(experiment) == 0
  return experiment


def test_run_stops_before_the_evaluation_and_the_save(packed, tmp_path):
  experiment = make_experiment(packed, tmp_path)
  with pytest.raises(UserError) as raised:
    train_with_evaluation(experiment)
  message = str(raised.value)
  assert f'the training diverged: step {BAD} of' in message
  assert '(not finite: loss, gradient_norm; images of the batch: ' in message
  assert 'there is no checkpoint yet' in message
  assert '--config.on_divergence=skip' in message
  rows = experiment.method.batches[0]
  ids = experiment.dataset.train.ids(rows[:3])
  assert f': {", ".join(ids)} and {len(rows) - 3} more)' in message
  with Checkpoints(experiment.workdir) as checkpoints:
    assert checkpoints.latest_step() is None
  lines = strict_lines(tmp_path)
  assert [line['step'] for line in lines] == [4, BAD]
  assert lines[-1]['not_finite'] == {
    'train/gradient_norm': 'nan',
    'train/loss': 'nan',
  }
  assert np.isfinite(lines[-1]['train/cross_entropy'])


def test_stopped_run_names_its_checkpoint_and_goes_on_with_skip(
  skipping, packed, tmp_path, monkeypatch
):
  stopped = make_experiment(packed, tmp_path)
  with monkeypatch.context() as patch:
    stop_after(patch, BAD - 2)
    assert train_with_evaluation(stopped) == 128 + signal.SIGTERM
  message = f'step {BAD} .*the last good checkpoint is step {BAD - 2}; try'
  with pytest.raises(UserError, match=message):
    train_with_evaluation(stopped)
  told = make_experiment(packed, tmp_path, on_divergence='skip')
  assert train_with_evaluation(told) == 0
  jax.tree.map(
    np.testing.assert_array_equal, saved_state(told), saved_state(skipping)
  )


def test_skipped_steps_are_counted_in_the_log(skipping):
  lines = strict_lines(skipping.workdir)
  counted = [
    (line['step'], line['train/skipped_steps'], line['train/skipped_in_a_row'])
    for line in lines
    if 'train/skipped_steps' in line
  ]
  assert counted == [(4, 0, 0), (BAD, 1, 1), (8, 1, 0), (LAST, 1, 0)]
  assert saved_state(skipping).step == LAST
  assert all('not_finite' not in line for line in lines if line['step'] != BAD)


def test_resumed_run_skips_the_same(
  skipping, packed, tmp_path, monkeypatch, capsys
):
  resumed = make_experiment(packed, tmp_path, on_divergence='skip')
  with monkeypatch.context() as patch:
    stop_after(patch, BAD)
    assert train_with_evaluation(resumed) == 128 + signal.SIGTERM
  assert f'step {BAD} is skipped: not finite: loss' in capsys.readouterr().out
  assert train_with_evaluation(resumed) == 0
  assert '1 of 12 steps were skipped' in capsys.readouterr().out
  jax.tree.map(
    np.testing.assert_array_equal, saved_state(resumed), saved_state(skipping)
  )

  def without_times(experiment):
    return [
      {k: v for k, v in line.items() if not k.startswith('time/')}
      for line in strict_lines(experiment.workdir)
    ]

  assert without_times(resumed) == without_times(skipping)


def test_too_many_skipped_steps_in_a_row_end_the_run(packed, tmp_path, capsys):
  experiment = tiny_experiment(
    packed,
    tmp_path,
    'lower_bound',
    on_divergence='skip',
    max_skipped_in_a_row=3,
    # The first step is finite and leaves a network that is not.
    optimizer__learning_rate=1e30,
  )
  with pytest.raises(UserError) as raised:
    train_with_evaluation(experiment)
  found = re.search(
    r'(\d+) steps in a row, up to step (\d+)', str(raised.value)
  )
  assert found[1] == '4'
  skipped = [x for x in strict_lines(tmp_path) if 'not_finite' in x]
  assert [x['train/skipped_in_a_row'] for x in skipped] == [1, 2, 3, 4]
  assert skipped[-1]['step'] == int(found[2])
  # A line for the 1st, 2nd and 4th only.
  assert capsys.readouterr().out.count('is skipped') == 2


def test_run_whose_steps_all_diverge_does_not_end_well(tmp_path):
  config = ml_collections.ConfigDict(
    {
      'on_divergence': 'skip',
      'max_skipped_in_a_row': 100,
      'optimizer': {'learning_rate': 1.0},
      'model': {'dtype': 'float32'},
    }
  )
  train_split = types.SimpleNamespace(ids=lambda rows: [f'{r}' for r in rows])
  experiment = types.SimpleNamespace(
    config=config,
    workdir=tmp_path,
    dataset=types.SimpleNamespace(train=train_split),
  )
  handler = divergence.Divergence(experiment, 3, SkippedSteps(), lambda: None)
  for step in (1, 2, 3):
    handler.count(False)
    if step < 3:
      handler.stop_or_skip(step, ['loss'], np.arange(4))
  with pytest.raises(UserError, match='3 steps in a row.*: 0, 1, 2 and 1 more'):
    handler.stop_or_skip(3, ['loss'], np.arange(4))


def test_counts_are_read_up_to_the_step_of_the_checkpoint(tmp_path):
  lines = [
    {'step': 2, 'train/skipped_steps': 0, 'train/skipped_in_a_row': 0},
    {'step': 3, 'train/skipped_steps': 1, 'train/skipped_in_a_row': 1},
    {'step': 4, 'train/skipped_steps': 2, 'train/skipped_in_a_row': 2},
    {'step': 4, 'eval/all_acc': 0.5},
    {'step': 4, 'train/skipped_steps': 10**30, 'train/skipped_in_a_row': 2},
    {'step': 4, 'train/skipped_steps': True, 'train/skipped_in_a_row': [2]},
    {'step': 7, 'train/skipped_steps': 3, 'train/skipped_in_a_row': 1},
  ]
  text = ''.join(json.dumps(line) + '\n' for line in lines)
  (tmp_path / 'metrics.jsonl').write_text('rubbish\n' + text)
  found = {n: skipped_before(epath.Path(tmp_path), n) for n in (1, 3, 4, 5, 7)}
  assert found == {
    1: SkippedSteps(0, 0),
    3: SkippedSteps(1, 1),
    4: SkippedSteps(2, 2),
    5: SkippedSteps(2, 0),
    7: SkippedSteps(3, 1),
  }
  assert skipped_before(epath.Path(tmp_path / 'none'), 4) == SkippedSteps()


def test_evaluation_that_is_not_finite_selects_nothing(packed, tmp_path):
  class Evaluator:
    def __init__(self, experiment, graphdef):
      del experiment, graphdef

    def evaluate_epoch(self, step, train_state):
      del step, train_state
      return EpochResult({'selection_score': float('inf')}, 'summary')

  experiment = tiny_experiment(packed, tmp_path, 'lower_bound')
  with pytest.raises(UserError, match='in the evaluation: selection_score'):
    train(experiment, Evaluator)
  with Checkpoints(experiment.workdir) as checkpoints:
    assert checkpoints.latest_step() is None
  assert not any('eval' in name for x in strict_lines(tmp_path) for name in x)


def test_checkpoint_that_is_not_finite_is_refused(packed, tmp_path):
  experiment = tiny_experiment(packed, tmp_path, 'lower_bound')
  init = set_up_training(experiment).init
  state = init(jax.random.key(0))
  divergence.check_restored(state, 3, experiment.workdir)
  broken = state.replace(
    opt_state=jax.tree.map(
      lambda x: x / 0 if x.dtype == np.float32 else x, state.opt_state
    )
  )
  with pytest.raises(UserError, match='step 3 .*not finite: optimizer_state'):
    divergence.check_restored(broken, 3, experiment.workdir)
