"""Mistakes in a command are answered in one line, before JAX is imported."""

import json
import shutil

import pytest

from helpers import imagesets
from helpers.runs import start_run
from helpers.subprocesses import run_main

CONFIG = '--config=cpl:folder64'


def the_error(ended, status=1):
  """The error's line; fails unless it is all that the command says."""
  assert ended.status == status, ended
  assert not ended.slow
  assert ended.err.count('\n') == 1 and ended.err.startswith('error: ')
  return ended.err


def run_error(folder, *arguments, status=1):
  ended = run_main('owdfa_jax.commands.run', arguments, folder)
  return the_error(ended, status)


@pytest.fixture
def given(packed):
  """The arguments of a command without a mistake."""
  return (
    CONFIG,
    f'--config.data.path={packed}',
    '--config.batch_size=16',
    '--workdir=run',
  )


@pytest.mark.parametrize(
  'module', ['main', 'owdfa_jax.commands.run', 'owdfa_jax.leaderboard.__main__']
)
def test_help(tmp_path, module):
  ended = run_main(module, ['--help'], tmp_path)
  assert ended.status == 0 and not ended.slow
  for name in ('--config=CONFIG', '--workdir=WORKDIR', '--config.FIELD=VALUE'):
    assert f'  {name}\n' in ended.out


@pytest.mark.parametrize(
  'arguments, message',
  [
    ([], 'no config given: give --config=METHOD:BENCHMARK'),
    ([CONFIG], 'no folder for the run: give --workdir=DIR'),
    ([CONFIG, '--workdir='], 'no folder for the run: give --workdir=DIR'),
    (
      [CONFIG, '--config.seed=1', '--config.epoch=1', '--config.batch_size=8'],
      'no such config field: --config.epoch=1; did you mean epochs? docs/',
    ),
    (
      [CONFIG, '--config.epoch=1'],
      f' docs/settings.md and the file of {CONFIG} list all',
    ),
    ([CONFIG, '--config.epochs=many'], 'epochs=many; give a whole number'),
    ([CONFIG, '--config.model.width=a'], 'model.width=a; give a number'),
    ([CONFIG, '--config.model.init_head=a'], 'init_head=a; give true or'),
    ([CONFIG, '--num_processes=two'], '--num_processes=two; give a whole'),
    (
      [CONFIG, '--mode=sleep'],
      '--mode=sleep; use one of train, eval, attribute, estimate, tim',
    ),
    ([CONFIG, '--wordkir=run'], 'wordkir=run; did you mean --workdir?'),
    (['--confg=x'], 'unknown flag: --confg=x; did you mean --config?'),
    (['--config=cpl:owdfa9'], 'owdfa9; use one of owdfa1, owdfa2'),
    (['--config=staged:dpl,folder'], 'dpl; use one of cal, cpl'),
    ([CONFIG, '--workdir=run', '--mode=attribute'], 'give --images=FOLDER'),
    (
      [CONFIG, '--mode=attribute', '--workdir=run', '--nearest=-1'],
      'out of range: --nearest=-1; give a whole number from 0',
    ),
    (
      [CONFIG, '--mode=attribute', '--workdir=run', '--max_pixels=0'],
      'out of range: --max_pixels=0; give a whole number from 1',
    ),
    (['--config=nowhere'], '--config=nowhere; give --config=METHOD'),
    (['--config', 'nowhere'], 'no such config file'),
    (['--config=cplx:folder64'], '; did you mean cpl?'),
    (['--config=leaderboard'], 'of another command: --config=leaderboard'),
    (
      [CONFIG, '--workdir=run', '--num_processes=2'],
      'add --distributed, or leave --num_proc',
    ),
    ([CONFIG, 'stray'], 'unknown argument: stray; flags begin with --'),
    ([CONFIG, '--config.optimizer=adam'], 'give --config.optimizer.FIELD=VAL'),
  ],
)
def test_command_line_that_cannot_be_understood(tmp_path, arguments, message):
  assert message in run_error(tmp_path, *arguments, status=2)


def test_a_flag_file_that_is_not_there(tmp_path):
  error = run_error(tmp_path, CONFIG, '--flagfile=/nowhere')
  assert 'Unable to open flagfile' in error


@pytest.mark.parametrize(
  'setting, message',
  [
    ('data.path=nowhere', 'no data directory: nowhere does not exist'),
    ('data.num_classes=9', 'data.num_classes=9, but'),
    ('batch_size=4096', 'dataset smaller than one batch'),
    ('model.init=no.pth', 'no such weights: --config.model.init=no.pth; give'),
    ('model.init=/dev/null', 'it is a device, not a regular file'),
  ],
)
def test_settings(given, tmp_path, setting, message):
  assert message in run_error(tmp_path, *given, f'--config.{setting}')
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
  'setting, message',
  [
    ('method.name=clp', 'method.name=clp; use one of cal, cpl'),
    ('method.name=cpll', '; did you mean cpl?'),
    ('method.name=orca', 'a parameter of another method: '),
    ('data.path=', 'no data: --config.data.path is empty; give'),
    ('data.path=gs:/bucket/d', 'data.path=gs:/bucket/d; write gs://bucket/d'),
    ('model.init=s3://bucket/w', 'from a bucket or the web: --config.model.in'),
    ('model.backbone=resnet9', 'model.backbone=resnet9; use one of resnet18'),
    ('model.dtype=float8', 'model.dtype=float8; use one of float32'),
    ('pseudo.rule=luck', 'pseudo.rule=luck; use one of max'),
    ('eval.split=dev', 'eval.split=dev; use one of train, test'),
    ('eval.metric=luck', 'eval.metric=luck; use one of known_acc'),
    ('epochs=0', 'epochs=0; give a whole number from 1'),
    ('method.params.vote_rule=luck', 'vote_rule=luck; use one of value'),
    ('optimizer.learning_rate=nan', 'nan; give a number from'),
  ],
)
def test_settings_that_no_run_takes(given, tmp_path, setting, message):
  error = run_error(tmp_path, *given, f'--config.{setting}', status=2)
  assert message in error
  assert not (tmp_path / 'run').exists()


def test_settings_of_stages(packed, tmp_path):
  error = run_error(
    tmp_path,
    '--config=staged:cpl,folder64',
    f'--config.data.path={packed}',
    '--config.stages.rounds=-1',
    '--workdir=run',
    status=2,
  )
  assert 'stages.rounds=-1; give a whole number from 0' in error


def test_foreign_data(tmp_path):
  (tmp_path / 'photos').mkdir()
  error = run_error(
    tmp_path, CONFIG, '--config.data.path=photos', '--workdir=run'
  )
  assert 'not a packed dataset: photos has no description.json' in error


def test_damaged_data(packed, given, tmp_path):
  shutil.copytree(packed, tmp_path / 'data')
  (tmp_path / 'data' / 'train.index.npz').write_bytes(b'?')
  error = run_error(tmp_path, *given, '--config.data.path=data')
  assert 'damaged file: data/train.index.npz' in error


def test_number_of_classes_is_below_that_of_the_names(packed, given, tmp_path):
  """Unlabelled images of unknown class, of more classes than have names."""
  shutil.copytree(packed, tmp_path / 'data')
  path = tmp_path / 'data' / 'description.json'
  content = json.loads(path.read_text()) | {'novel_count_known': False}
  path.write_text(json.dumps(content))
  given = [*given, '--config.data.path=data']
  for fewer in 2, 3:  # with 3, two classes would share an output
    error = run_error(tmp_path, *given, f'--config.data.num_classes={fewer}')
    assert f'data.num_classes={fewer}; give an estimate' in error


def test_workdir_is_the_data(packed, given, tmp_path):
  before = sorted(path.name for path in packed.iterdir())
  error = run_error(tmp_path, *given[:-1], f'--workdir={packed}')
  assert f'packed data: --workdir={packed} has a description.json' in error
  assert sorted(path.name for path in packed.iterdir()) == before


def test_workdir_of_another_config(packed, given, tmp_path):
  start_run(packed, tmp_path / 'run')
  error = run_error(tmp_path, *given)
  assert 'run with another config' in error and 'model.width=0.125' in error


@pytest.mark.parametrize('mode', ['eval', 'attribute'])
def test_no_checkpoint(given, tmp_path, mode):
  (tmp_path / 'images').mkdir()
  imagesets.write_set(tmp_path / 'images', per_class=1)
  error = run_error(
    tmp_path, *given, f'--mode={mode}', f'--images={tmp_path}/images'
  )
  wanted = f'no checkpoint: {tmp_path}/run has none in checkpoints; train first'
  assert wanted in error
  assert not (tmp_path / 'run').exists()


def test_no_checkpoint_of_that_step(packed, given, tmp_path):
  (tmp_path / 'run' / 'checkpoints' / '5').mkdir(parents=True)
  error = run_error(
    tmp_path, *given, '--mode=eval', '--config.eval.checkpoint=7'
  )
  assert 'step 7' in error and 'use one of 5' in error


@pytest.mark.parametrize(
  'images, message',
  [
    ('nowhere', 'no such folder: --images=nowhere; name a folder'),
    ('file.png', 'not a folder: --images=file.png; name the folder'),
    ('empty', 'no images: --images=empty (it is empty); name'),
  ],
)
def test_no_images(given, tmp_path, images, message):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'file.png').write_text('')
  error = run_error(tmp_path, *given, '--mode=attribute', f'--images={images}')
  assert message in error


@pytest.mark.parametrize(
  'arguments, message',
  [
    ([], 'give --config=leaderboard:BENCHMARK'),
    (['--config=cpl:folder64'], 'of another command'),
    (['--config=leaderboard:simulated1'], 'no folder for the runs'),
    (
      ['--config=leaderboard:simulated1', '--workdir='],
      'no folder for the run',
    ),
    (
      ['--config=leaderboard:simulated1', '--workdir=x'],
      'no data directory: data/packed/simulated1',
    ),
  ],
)
def test_leaderboard(tmp_path, arguments, message):
  ended = run_main('owdfa_jax.leaderboard.__main__', arguments, tmp_path)
  status = 1 if message.startswith('no data directory') else 2
  assert message in the_error(ended, status)


def test_a_config_file_of_the_user(packed, tmp_path):
  """Its settings are checked, and a defect in it is one line."""
  text = 'from owdfa_jax.configs import cpl\ndef get_config():\n'
  (tmp_path / 'mine.py').write_text(
    f'{text}  config = cpl.get_config("folder64")\n'
    f'  config.data.path = {str(packed)!r}\n'
    '  config.epochs = 0\n  return config\n'
  )
  error = run_error(tmp_path, '--config=mine.py', '--workdir=run', status=2)
  assert 'epochs=0; give a whole number from 1' in error
  (tmp_path / 'mine.py').write_text(f'{text}  return cpl.nothing\n')
  error = run_error(tmp_path, '--config=mine.py', '--workdir=run')
  assert 'the config file mine.py failed: AttributeError' in error
  assert '(line 3 of mine.py); correct it' in error
