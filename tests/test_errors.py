"""Tests that a user's mistake gives one line that says what to do.

There is no traceback, and the exit status is not 0.
"""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from helpers.paths import ROOT
from helpers.runs import start_run, tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.evaluate import evaluate

TINY = (
  '--config=configs/cpl.py:folder64',
  '--config.model.width=0.125',
  '--config.batch_size=16',
  '--config.epochs=1',
  '--config.log.tensorboard=False',
  '--config.log.page=False',
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


def test_disk_too_small_for_a_checkpoint(packed, tmp_path):
  line = fails(
    *TINY,
    f'--config.data.path={packed}',
    f'--workdir={tmp_path}/run',
    # The limit would leave a truncated program in the cache of all tests.
    '--config.compilation_cache=',
    shell='ulimit -f 20;',
  )
  assert str(tmp_path / 'run') in line


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
  shutil.rmtree(tmp_path / 'checkpoints' / '5')
  experiment = tiny_experiment(packed, tmp_path, eval__checkpoint=checkpoint)
  with pytest.raises(UserError, match=named):
    evaluate(experiment)
