"""Workdirs whose checkpoints or recorded settings cannot be read."""

import json
import os

import pytest

from helpers.runs import start_run, tiny_experiment
from helpers.staged_runs import tiny_stages
from input_pipeline.errors import UserError
from owdfa_jax.commands.preflight import check_inputs
from owdfa_jax.discovery import stages
from owdfa_jax.training import run_record


@pytest.mark.parametrize('mode', ['train', 'eval', 'attribute'])
def test_file_in_the_place_of_the_checkpoints(packed, tmp_path, mode):
  (tmp_path / 'checkpoints').write_text('in the way')
  config = tiny_experiment(packed, tmp_path).config
  with pytest.raises(UserError, match='cannot be read: .*/checkpoints .Not a'):
    check_inputs(config, str(tmp_path), mode)


@pytest.mark.parametrize(
  'check',
  [
    run_record.check_resumable,
    run_record.check_same_network,
    lambda inputs: run_record.recorded_setting(inputs, 'epochs'),
  ],
)
def test_recorded_settings_that_cannot_be_read(packed, tmp_path, check):
  start_run(packed, tmp_path)
  record = tmp_path / 'config.json'
  record.unlink()
  record.mkdir()
  inputs = tiny_experiment(packed, tmp_path)
  with pytest.raises(UserError, match='config.json .Is a directory'):
    check(inputs)
  record.rmdir()
  record.write_text('{"seed": ')
  with pytest.raises(UserError, match='damaged file: .*config.json'):
    check(inputs)


@pytest.mark.parametrize(
  'content', ['{"a":' * 100_000, '[' * 100_000, '[]', '3', '"', '\0']
)
def test_settings_that_are_damaged(packed, tmp_path, content):
  inputs = tiny_experiment(packed, tmp_path)
  start_run(packed, tmp_path)
  (tmp_path / 'config.json').write_text(content)
  with pytest.raises(UserError, match='damaged file: .*config.json'):
    run_record.check_resumable(inputs)


def test_settings_in_a_pipe(packed, tmp_path):
  inputs = tiny_experiment(packed, tmp_path)
  start_run(packed, tmp_path)
  (tmp_path / 'config.json').unlink()
  os.mkfifo(tmp_path / 'config.json')
  with pytest.raises(UserError, match='config.json .*pipe'):
    run_record.check_resumable(inputs)


def forget(workdir, *names):
  """Takes settings out of a record, as a version without them wrote it."""
  path = workdir / 'config.json'
  settings = json.loads(path.read_text())
  for name in names:
    section, _, field = name.rpartition('.')
    (settings[section] if section else settings).pop(field)
  path.write_text(json.dumps(settings))


def test_runs_of_earlier_versions_go_on_with_what_they_had(packed, tmp_path):
  start_run(packed, tmp_path)
  names = ('front_end', 'spectrum_features', 'spectrum_projections')
  forget(tmp_path, 'augment', *(f'model.{name}' for name in names))
  inputs = tiny_experiment(packed, tmp_path)
  run_record.check_resumable(inputs)
  run_record.check_same_network(inputs)
  other = tiny_experiment(packed, tmp_path, augment__jpeg_probability=0.5)
  with pytest.raises(UserError, match='augment.jpeg_probability=0.0 .now 0.5'):
    run_record.check_resumable(other)
  run_record.check_same_network(other)


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'model__front_end': 'residual'}, 'model.front_end=rgb .now residual'),
    ({'model__spectrum_features': 3}, 'model.spectrum_features=0 .now 3'),
    ({'model__spectrum_projections': 3}, 'spectrum_projections=0 .now 3'),
  ],
)
def test_a_network_of_another_front_end_is_refused(
  packed, tmp_path, changes, message
):
  start_run(packed, tmp_path)
  inputs = tiny_experiment(packed, tmp_path, **changes)
  for check in (run_record.check_resumable, run_record.check_same_network):
    with pytest.raises(UserError, match=message):
      check(inputs)


def test_setting_that_is_not_recorded_is_the_one_given(packed, tmp_path):
  inputs = tiny_experiment(packed, tmp_path, epochs=7)
  assert run_record.recorded_setting(inputs, 'epochs') == 7


@pytest.mark.parametrize('work', [stages.train_stages, stages.evaluate_stages])
def test_file_in_the_place_of_a_staged_run(packed, tmp_path, work):
  (tmp_path / 'run').write_text('in the way')
  with pytest.raises(UserError, match=f'{tmp_path}/run'):
    work(tiny_stages(packed), str(tmp_path / 'run'))
