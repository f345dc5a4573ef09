"""Tests of the floor under the number of steps."""

import json

import pytest

from helpers.paths import ROOT
from helpers.runs import tiny_config
from helpers.subprocesses import run_main
from input_pipeline.errors import UserError
from owdfa_jax import configs
from owdfa_jax.commands.preflight import check_inputs
from owdfa_jax.discovery.stage_plan import first_workdir
from owdfa_jax.settings import check_run
from owdfa_jax.training.small_data import (
  MIN_STEPS,
  give_least_steps,
  short_runs,
)

# The tests' dataset gives six steps of 16 images in a pass.
STEPS = 6


def make_config(packed, **changes):
  config = tiny_config(packed, **changes)
  return config.copy_and_resolve_references()


def hold_a_run(workdir, **settings):
  """Makes a workdir whose run has saved a checkpoint, though an empty one."""
  (workdir / 'checkpoints' / '5' / 'model').mkdir(parents=True)
  (workdir / 'config.json').write_text(json.dumps(settings))


def test_little_data_gets_more_passes_and_the_same_epochs(packed, tmp_path):
  config = make_config(packed, epochs=20)
  line = give_least_steps(config, str(tmp_path / 'run'), given=())
  assert config.epochs == 20 and config.passes_per_epoch == 4
  assert line == (
    'the data gives 6 steps an epoch, 120 in 20 epochs; each epoch therefore '
    'passes over the images 4 times, for 480 steps '
    '(--config.passes_per_epoch=1 leaves it at 120)'
  )
  again = give_least_steps(config, str(tmp_path / 'run'), given=())
  assert again == '' and config.passes_per_epoch == 4


def test_a_single_step_is_called_so(packed, tmp_path):
  config = make_config(packed, epochs=200, batch_size=STEPS * 16)
  line = give_least_steps(config, str(tmp_path / 'run'), given=())
  assert line.startswith('the data gives 1 step an epoch, 200 in 200 epochs')


def test_enough_steps_are_left_alone(packed, tmp_path):
  config = make_config(packed, epochs=-(-MIN_STEPS // STEPS))
  assert give_least_steps(config, str(tmp_path), given=()) == ''
  assert config.passes_per_epoch == 1


@pytest.mark.parametrize('given', ['epochs', 'passes_per_epoch'])
def test_length_that_the_user_gives_is_kept(given, packed, tmp_path):
  config = make_config(packed, epochs=2, passes_per_epoch=3)
  line = give_least_steps(config, str(tmp_path), given=(given, 'seed'))
  assert config.epochs == 2 and config.passes_per_epoch == 3
  assert 'only 36 steps; --config.passes_per_epoch=36' in line


@pytest.mark.parametrize(
  'recorded, passes', [({}, 1), ({'passes_per_epoch': 7}, 7)]
)
def test_run_that_has_begun_keeps_its_passes(
  recorded, passes, packed, tmp_path
):
  """A run of an earlier version recorded none, and had one."""
  hold_a_run(tmp_path, **recorded)
  config = make_config(packed, epochs=2)
  for given in ((), ('epochs',)):
    assert 'only' in give_least_steps(config, str(tmp_path), given)
    assert config.passes_per_epoch == passes


def test_stages_share_the_passes_of_the_method(packed, tmp_path):
  config = configs.load('staged', 'cpl,folder64')
  config.data.path, config.batch_size = str(packed), 16
  config.epochs = 20
  first = first_workdir(config, str(tmp_path))
  assert '4 times, for 480 steps' in give_least_steps(config, first, ())
  assert check_inputs(config, str(tmp_path), 'train').config.epochs == 6
  hold_a_run(tmp_path / '1-supervised', passes_per_epoch=9)
  config.passes_per_epoch = 1
  assert give_least_steps(config, first, ()) == ''
  assert config.passes_per_epoch == 9


def test_the_command_keeps_what_the_user_has_given(packed, tmp_path):
  hold_a_run(tmp_path / 'run', passes_per_epoch=7)
  ended = run_main(
    'owdfa_jax.commands.run',
    [
      f'--config={ROOT}/configs/cpl.py:folder64',
      f'--config.data.path={packed}',
      '--config.batch_size=16',
      '--config.passes_per_epoch=5',
      '--workdir=run',
    ],
    tmp_path,
  )
  assert ended.status == 1 and not ended.slow
  assert 'passes_per_epoch=7 (now 5)' in ended.err


def test_short_runs_of_a_leaderboard_are_named(packed, tmp_path):
  runs = {
    name: check_run(make_config(packed, epochs=epochs), str(tmp_path))
    for name, epochs in (('short', 10), ('shorter', 5), ('long', 100))
  }
  line = short_runs(runs)
  assert 'only a few steps: short (60), shorter (30); ' in line
  assert '--config.shared=passes_per_epoch=14 in another' in line
  assert short_runs({'long': runs['long']}) == ''


def test_other_mistakes_are_reported_first(packed, tmp_path):
  config = make_config(packed, epochs=2)
  config.batch_size = 1000
  with pytest.raises(UserError, match='smaller than one batch'):
    give_least_steps(config, str(tmp_path), ())
