"""Tests that a user's mistake gives one line that says what to do.

There is no traceback, and the exit status is not 0.
"""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from helpers import imagesets
from helpers.paths import ROOT
from helpers.runs import tiny_experiment
from input_pipeline import pack
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.training.workdir import claim_workdir

TINY = (
  '--config=configs/cpl.py:folder64',
  '--config.model.width=0.125',
  '--config.batch_size=16',
  '--config.epochs=1',
  '--config.log.tensorboard=False',
)


def command(*arguments, shell='', devices=1):
  """Runs main.py as a user would, after the shell commands in `shell`."""
  return subprocess.run(
    ['bash', '-c', f'{shell} exec "$@"', 'bash', sys.executable, 'main.py']
    + [*map(str, arguments)],
    cwd=ROOT,
    env=os.environ
    | {'JAX_NUM_CPU_DEVICES': str(devices), 'PYTHONWARNINGS': 'default'},
    capture_output=True,
    text=True,
    timeout=300,
  )


def error_line(result):
  """Returns the line of the error, after checking that it is the only one."""
  assert result.returncode not in (0, -6, -11), result.stdout
  assert 'Traceback' not in result.stderr, result.stderr
  errors = [
    line for line in result.stderr.splitlines() if line.startswith('error: ')
  ]
  assert len(errors) == 1, result.stderr
  return errors[0]


def fails(*arguments, **keywords):
  return error_line(command(*arguments, **keywords))


def test_missing_data(tmp_path):
  line = fails(
    *TINY, f'--config.data.path={tmp_path}/nothing', f'--workdir={tmp_path}/run'
  )
  assert f'{tmp_path}/nothing' in line and 'input_pipeline.pack' in line
  assert not (tmp_path / 'run').exists()


def test_folder_that_is_no_packed_data(tmp_path):
  (tmp_path / 'holiday.jpg').write_bytes(b'?')
  with pytest.raises(UserError, match=str(tmp_path)):
    tiny_experiment(tmp_path, tmp_path / 'run')


def test_classes_that_do_not_match_the_head(packed, tmp_path):
  with pytest.raises(UserError, match='num_classes=22.* has 4;'):
    tiny_experiment(packed, tmp_path, data__num_classes=22)


@pytest.mark.parametrize(
  'field, value',
  [
    ('method.name', 'clp'),
    ('model.backbone', 'resnet9'),
    ('model.dtype', 'float8'),
    ('data.supervision', 'none'),
    ('eval.selection', 'luck'),
    ('eval.metric', 'all_luck'),
    ('eval.split', 'dev'),
    ('batch_size', 15),
    ('batch_size', 4096),
    ('epochs', 0),
  ],
)
def test_setting_out_of_range(packed, tmp_path, field, value):
  with pytest.raises(UserError, match=f'{value}.*;') as error:
    experiment = tiny_experiment(packed, tmp_path / 'run', **{field: value})
    train_with_evaluation(experiment)
  assert field.split('.')[-1] in str(error.value)


def test_settings_that_contradict_each_other(packed, tmp_path):
  with pytest.raises(UserError, match='every label.*upper_bound'):
    tiny_experiment(packed, tmp_path, data__supervision='all')
  with pytest.raises(UserError, match='nothing to validate on'):
    tiny_experiment(
      packed,
      tmp_path,
      eval__selection='validation',
      data__validation_share=0.0,
    )


@pytest.mark.parametrize(
  'arguments, named',
  [
    (['--config.optimizer.lr=1'], '--config.optimizer.lr=1'),
    (['--config.epoch=1'], '(epoch. Did you mean "epochs"'),
    (['--config.epochs=many'], 'epochs'),
    (['--config=configs/cpl.py:owdfa9'], 'owdfa40_1'),
    (['--config=nowhere.py'], 'cpl, mpsl'),
    (['--mode=sleep'], 'sleep'),
    (['stray'], 'stray'),
  ],
)
def test_mistake_on_the_command_line(arguments, named):
  assert named in fails(*TINY, *arguments, '--workdir=unused')


def test_no_workdir():
  assert '--workdir' in fails(*TINY)


def test_batch_not_divisible_by_the_devices(packed, tmp_path):
  line = fails(
    *TINY,
    f'--config.data.path={packed}',
    f'--workdir={tmp_path}/run',
    devices=3,
  )
  assert 'batch_size=16' in line and '3 devices' in line


def damaged(packed, folder, damage):
  """Copies the packed data, and damages its first shard."""
  shutil.copytree(packed, folder)
  shard = sorted(folder.glob('*train.tfrecord*'))[0]
  content = bytearray(shard.read_bytes())
  shard.write_bytes(damage(content))
  return shard


def test_corrupt_record(packed, tmp_path):
  def flip(content):
    content[len(content) // 2] ^= 1
    return content

  shard = damaged(packed, tmp_path / 'data', flip)
  line = fails(
    *TINY,
    f'--config.data.path={tmp_path}/data',
    f'--workdir={tmp_path}/run',
  )
  assert shard.name in line and 'byte' in line


def test_truncated_shard(packed, tmp_path):
  shard = damaged(packed, tmp_path / 'data', lambda content: content[:-9])
  with pytest.raises(UserError, match=shard.name):
    tiny_experiment(tmp_path / 'data', tmp_path / 'run')


def test_empty_class(packed, tmp_path):
  """No row of a known class is labelled."""
  shutil.copytree(packed, tmp_path / 'data')
  path = tmp_path / 'data' / 'train.index.npz'
  with np.load(path) as file:
    index = dict(file)
  index['tag'][index['label'] == 1] = 2
  np.savez(path, **index)
  with pytest.raises(UserError, match="empty class.*'m1'"):
    tiny_experiment(tmp_path / 'data', tmp_path / 'run')


def test_file_where_the_workdir_should_be(packed, tmp_path):
  (tmp_path / 'run').write_text('in the way')
  experiment = tiny_experiment(packed, tmp_path / 'run')
  with pytest.raises(UserError, match=f'{tmp_path}/run/.*another --workdir'):
    train_with_evaluation(experiment)


def test_disk_too_small_for_a_checkpoint(packed, tmp_path):
  line = fails(
    *TINY,
    f'--config.data.path={packed}',
    f'--workdir={tmp_path}/run',
    shell='ulimit -f 20;',
  )
  assert str(tmp_path / 'run') in line


def start_run(packed, workdir, **changes):
  """Makes a workdir whose run has saved a checkpoint, though an empty one."""
  claim_workdir(tiny_experiment(packed, workdir, **changes))
  (workdir / 'checkpoints' / '5').mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize(
  'field, value',
  [
    ('seed', 1),
    ('model.width', 0.25),
    ('method.params.margin', 0.1),
    ('optimizer.learning_rate', 0.5),
    ('data.supervision', 'labelled'),
  ],
)
def test_workdir_of_another_config(packed, tmp_path, field, value):
  start_run(packed, tmp_path)
  other = tiny_experiment(packed, tmp_path, **{field: value})
  with pytest.raises(UserError, match=f'another config.* {field}='):
    train_with_evaluation(other)


def test_rows_held_out_may_not_change(packed, tmp_path):
  """Otherwise images that were trained on would select the checkpoint."""
  start_run(packed, tmp_path)
  other = tiny_experiment(packed, tmp_path, eval__selection='validation')
  with pytest.raises(
    UserError, match='eval.selection=test .*held_out=0.0 .now 0.1'
  ):
    claim_workdir(other)


def test_every_difference_is_named(packed, tmp_path):
  start_run(packed, tmp_path)
  other = tiny_experiment(packed, tmp_path, seed=1, model__width=0.25)
  with pytest.raises(UserError, match='model.width=0.125 .*seed=0 '):
    claim_workdir(other)


def test_workdir_of_other_data(packed, tmp_path):
  start_run(packed, tmp_path)
  table = imagesets.write_set(tmp_path / 'images', novel=2, per_class=32)
  pack.pack(table, tmp_path / 'data', pack.Options(size=32), workers=1)
  other = tiny_experiment(tmp_path / 'data', tmp_path)
  with pytest.raises(UserError, match='another config.* dataset='):
    claim_workdir(other)


def test_workdir_takes_more_epochs_and_moved_data(packed, tmp_path):
  start_run(packed, tmp_path / 'run')
  shutil.copytree(packed, tmp_path / 'moved')
  start_run(tmp_path / 'moved', tmp_path / 'run', epochs=9)
  written = json.loads((tmp_path / 'run' / 'config.json').read_text())
  assert written['epochs'] == 9


def test_workdir_without_checkpoint_takes_any_config(packed, tmp_path):
  claim_workdir(tiny_experiment(packed, tmp_path))
  claim_workdir(tiny_experiment(packed, tmp_path, seed=1))


def test_damaged_config_of_a_workdir(packed, tmp_path):
  start_run(packed, tmp_path)
  (tmp_path / 'config.json').write_text('{"seed": ')
  with pytest.raises(UserError, match='damaged file.*config.json'):
    claim_workdir(tiny_experiment(packed, tmp_path))


def test_evaluation_of_another_network(packed, tmp_path):
  start_run(packed, tmp_path)
  wide = tiny_experiment(packed, tmp_path, model__width=0.25, batch_size=32)
  with pytest.raises(UserError, match='model.width=0.125') as error:
    evaluate(wide)
  assert 'batch_size' not in str(error.value)


def test_evaluation_does_not_create_the_workdir(packed, tmp_path):
  with pytest.raises(UserError, match='train first'):
    evaluate(tiny_experiment(packed, tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
  'checkpoint, named', [('best', 'train first'), ('7', 'step 7'), ('x', 'x')]
)
def test_evaluation_of_a_missing_checkpoint(
  packed, tmp_path, checkpoint, named
):
  start_run(packed, tmp_path)
  (tmp_path / 'checkpoints' / '5').rmdir()
  experiment = tiny_experiment(packed, tmp_path, eval__checkpoint=checkpoint)
  with pytest.raises(UserError, match=named):
    evaluate(experiment)
