"""Which workdirs a command may start in, continue or evaluate."""

import json
import os

import pytest

from helpers import imagesets
from helpers.runs import start_run, tiny_config
from helpers.staged_runs import tiny_stages
from input_pipeline import pack
from input_pipeline.errors import UserError
from owdfa_jax.commands.preflight import check_inputs
from owdfa_jax.discovery.stage_plan import plan_stages
from owdfa_jax.experiment import set_up
from owdfa_jax.training.manifest import write_manifest
from owdfa_jax.training.workdir import claim_workdir


def start_stage(config, number, folder, init):
  """Makes the workdir of a stage that got its weights from the stage before."""
  stage = plan_stages(config)[number]
  claim_workdir(set_up(stage.config(config, init=init), folder / stage.name))
  (folder / stage.name / 'checkpoints' / '5').mkdir(parents=True)


def test_a_started_run_is_continued_and_evaluated(packed, tmp_path):
  start_run(packed, tmp_path)
  for mode in ('train', 'eval', 'timing'):
    inputs = check_inputs(tiny_config(packed), str(tmp_path), mode)
    assert inputs.config.batch_size == 16
    assert str(inputs.workdir) == str(tmp_path)


def test_bad_pseudo_labels_are_refused_before_the_run_starts(packed, tmp_path):
  (tmp_path / 'labels.npz').write_bytes(b'not an archive')
  config = tiny_config(packed, data__pseudo_labels=f'{tmp_path}/labels.npz')
  with pytest.raises(UserError, match='damaged pseudo-labels'):
    check_inputs(config, str(tmp_path / 'run'), 'train')
  assert not (tmp_path / 'run').exists()


def test_evaluation_takes_the_number_of_classes_of_the_run(unsorted, tmp_path):
  start_run(unsorted, tmp_path, data__num_classes=5)
  for mode in ('eval', 'attribute'):
    inputs = check_inputs(tiny_config(unsorted), str(tmp_path), mode)
    assert inputs.config.data.num_classes == 5
  with pytest.raises(UserError, match='num_classes=5 .now 6'):
    other = tiny_config(unsorted, data__num_classes=6)
    check_inputs(other, str(tmp_path), 'eval')
  with pytest.raises(UserError, match='number of novel classes is unknown'):
    check_inputs(tiny_config(unsorted), str(tmp_path), 'train')


def test_a_run_of_too_few_outputs_may_resume(tmp_path):
  csv = imagesets.write_set(tmp_path, novel=3, per_class=20, size=32)
  options = pack.Options(size=32)
  packed = pack.pack(csv, tmp_path / 'packed', options, workers=1).path
  path = packed / 'description.json'
  content = json.loads(path.read_text()) | {'novel_count_known': False}
  path.write_text(json.dumps(content))
  config = tiny_config(packed, data__num_classes=4)
  run = tmp_path / 'run'
  with pytest.raises(UserError, match='3 novel classes .*: at least 5'):
    check_inputs(config, str(run), 'train')
  start_run(packed, run, data__num_classes=4)
  check_inputs(config, str(run), 'train')


def test_timing_needs_no_workdir(packed, tmp_path):
  check_inputs(tiny_config(packed), str(tmp_path / 'nowhere'), 'timing')


def test_training_may_change_less_than_evaluation(packed, tmp_path):
  start_run(packed, tmp_path)
  other = tiny_config(packed, batch_size=32)
  check_inputs(other, str(tmp_path), 'eval')
  with pytest.raises(UserError, match='batch_size=16 .now 32'):
    check_inputs(other, str(tmp_path), 'train')


def test_started_stages_are_continued(packed, tmp_path):
  config = tiny_stages(packed)
  start_stage(config, 0, tmp_path, init='')
  start_stage(
    config, 1, tmp_path, init=f'{tmp_path}/1-supervised/checkpoints/5'
  )
  inputs = check_inputs(config, str(tmp_path), 'train')
  assert inputs.workdir.name == plan_stages(config)[-1].name


def test_a_started_stage_of_other_settings(packed, tmp_path):
  start_stage(tiny_stages(packed), 0, tmp_path, init='')
  with pytest.raises(UserError, match='1-supervised.*seed=0 .now 1'):
    check_inputs(tiny_stages(packed, seed=1), str(tmp_path), 'train')


def test_every_stage_is_evaluated(packed, tmp_path):
  config = tiny_stages(packed)
  start_stage(config, 0, tmp_path, init='')
  with pytest.raises(UserError, match='2-cpl has none in checkpoints'):
    check_inputs(config, str(tmp_path), 'eval')


def test_a_run_is_in_stages_or_not(packed, tmp_path):
  start_run(packed, tmp_path / 'plain')
  with pytest.raises(UserError, match='not in stages: .*has a config.json'):
    check_inputs(tiny_stages(packed), str(tmp_path / 'plain'), 'train')
  start_stage(tiny_stages(packed), 0, tmp_path / 'staged', init='')
  with pytest.raises(UserError, match='a run in stages: .*1-supervised; give'):
    check_inputs(tiny_config(packed), str(tmp_path / 'staged'), 'train')


def test_weights_are_read(packed, tmp_path):
  path = tmp_path / 'weights.pth'
  path.write_bytes(b'')
  config = tiny_config(packed, model__init=str(path))
  with pytest.raises(UserError, match=f'not a file of weights: {path}'):
    check_inputs(config, str(tmp_path / 'run'), 'train')
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('workdir', ['file', 'file/run'])
def test_a_file_in_place_of_a_folder(packed, tmp_path, workdir):
  (tmp_path / 'file').write_text('')
  message = f'--workdir={tmp_path}/{workdir}: {tmp_path}/file is not a folder'
  with pytest.raises(UserError, match=message):
    check_inputs(tiny_config(packed), str(tmp_path / workdir), 'train')


@pytest.mark.parametrize('workdir', ['', 'run', 'a/run'])
def test_a_folder_that_cannot_be_written(
  packed, tmp_path, monkeypatch, workdir
):
  # Permissions do not stop root, which may run the tests.
  monkeypatch.setattr(os, 'access', lambda path, mode: mode == os.R_OK)
  with pytest.raises(UserError, match=f': {tmp_path} cannot be written'):
    check_inputs(tiny_config(packed), str(tmp_path / workdir), 'train')
  assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
  ('mode', 'remedy'),
  [('eval', 'give a copy'), ('attribute', 'give --out=FILE elsewhere, or a')],
)
def test_a_run_that_cannot_be_written_gets_no_report(
  packed, tmp_path, monkeypatch, mode, remedy
):
  start_run(packed, tmp_path)
  # Permissions would not stop root.
  monkeypatch.setattr(os, 'access', lambda path, mode: False)
  words = f'--workdir={tmp_path} cannot be written; {remedy}'
  with pytest.raises(UserError, match=words):
    check_inputs(tiny_config(packed), str(tmp_path), mode)
  # It prints a number, and writes nothing.
  check_inputs(tiny_config(packed), str(tmp_path), 'estimate')


def test_a_run_that_resumes_needs_no_initial_weights(packed, tmp_path):
  weights = tmp_path / 'weights.npz'
  weights.write_bytes(b'')
  config = tiny_config(packed, model__init=str(weights))
  claim_workdir(set_up(config, tmp_path / 'run'))
  weights.unlink()
  with pytest.raises(UserError, match='no such weights'):
    check_inputs(config, str(tmp_path / 'run'), 'train')
  # The folder of a save that has not ended does not count.
  (tmp_path / 'run' / 'checkpoints' / '5').mkdir(parents=True)
  with pytest.raises(UserError, match='no such weights'):
    check_inputs(config, str(tmp_path / 'run'), 'train')
  write_manifest(tmp_path / 'run' / 'checkpoints' / '5', step=5)
  check_inputs(config, str(tmp_path / 'run'), 'train')


def test_a_spectrum_is_checked_like_a_run(packed, unsorted, tmp_path):
  config = tiny_config(unsorted, method='spectrum', data__num_classes=5)
  inputs = check_inputs(config, str(tmp_path / 'run'), 'train')
  assert not inputs.workdir.exists()
  claim_workdir(inputs)
  # Evaluated anew with the number of classes of the run.
  again = tiny_config(unsorted, method='spectrum')
  inputs = check_inputs(again, str(tmp_path / 'run'), 'eval')
  assert inputs.config.data.num_classes == 5
  for mode in ('attribute', 'timing'):
    with pytest.raises(UserError, match=f'no network: {mode} of a'):
      check_inputs(config, str(tmp_path / 'run'), mode)
  # The folder of a network that was trained.
  start_run(packed, tmp_path / 'network')
  config = tiny_config(packed, method='spectrum')
  with pytest.raises(UserError, match='holds a run with another config'):
    check_inputs(config, str(tmp_path / 'network'), 'train')
