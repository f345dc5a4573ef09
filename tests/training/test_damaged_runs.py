"""Tests of runs with damaged checkpoints, and of saves that fail."""

import shutil

import jax
import numpy as np
import pytest

from helpers.runs import stop_after, tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.training.checkpoints import Checkpoints, read_arrays
from owdfa_jax.training.evaluator import EpochResult
from owdfa_jax.training.loop import train
from owdfa_jax.training.saved_steps import saved_steps

pytestmark = pytest.mark.usefixtures('quick_compile')


class FirstIsBest:
  """An evaluator that prefers the first epoch."""

  def __init__(self, experiment, graphdef):
    del experiment, graphdef

  def evaluate_epoch(self, step, train_state):
    del train_state
    return EpochResult({'selection_score': -float(step)}, '')


@pytest.fixture(scope='module')
def whole(packed, tmp_path_factory):
  """The workdir of a run of two epochs, and its steps."""
  experiment = tiny_experiment(packed, tmp_path_factory.mktemp('whole'))
  assert train(experiment, FirstIsBest) == 0
  first, latest = saved_steps(experiment.workdir)
  return experiment.workdir, first, latest


@pytest.fixture
def damaged(whole, tmp_path):
  """A copy of the run in which one bit of the latest arrays is another."""
  workdir, first, latest = whole
  copy = tmp_path / 'run'
  shutil.copytree(workdir, copy)
  folder = copy / 'checkpoints' / str(latest) / 'train'
  path = max(folder.rglob('d/*'), key=lambda file: file.stat().st_size)
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  return copy, path, first, latest


def test_complete_run_with_a_damaged_checkpoint_stops(packed, damaged):
  workdir, path, first, _ = damaged
  with pytest.raises(
    UserError,
    match=f'damaged checkpoint: {path} .changed since it was saved.; sound '
    f'steps: {first}; .*--config.checkpoints.on_damage=fall_back',
  ):
    train(tiny_experiment(packed, workdir), FirstIsBest)


def test_run_that_falls_back_ends_with_the_same_arrays(
  packed, whole, damaged, capsys
):
  workdir, _, first, latest = damaged
  experiment = tiny_experiment(
    packed, workdir, checkpoints__on_damage='fall_back'
  )
  assert train(experiment, FirstIsBest) == 0
  out = capsys.readouterr().out
  assert f'renamed to {latest}.damaged' in out
  assert f'resuming after step {first}' in out
  before, after = (
    read_arrays(run / 'checkpoints' / str(latest))
    for run in (whole[0], experiment.workdir)
  )
  jax.tree.map(np.testing.assert_array_equal, before, after)


def test_evaluation_of_the_sound_checkpoint(packed, damaged):
  workdir, _, first, latest = damaged
  experiment = tiny_experiment(packed, workdir, eval__checkpoint=str(first))
  assert evaluate(experiment)['checkpoint_step'] == first
  experiment = tiny_experiment(packed, workdir, eval__checkpoint=str(latest))
  with pytest.raises(UserError, match=f'--config.eval.checkpoint={first}$'):
    evaluate(experiment)


def test_stop_that_cannot_be_saved_is_not_called_saved(
  packed, tmp_path, monkeypatch, capsys
):
  """The save fails in the background, after `save` has returned."""
  experiment = tiny_experiment(packed, tmp_path / 'run', epochs=1)

  def fail(self):
    raise UserError('cannot write the checkpoint')

  with monkeypatch.context() as patch:
    stop_after(patch, 2)
    patch.setattr(Checkpoints, 'wait', fail)
    with pytest.raises(UserError, match='cannot write the checkpoint'):
      train(experiment, FirstIsBest)
  assert 'is saved' not in capsys.readouterr().out
