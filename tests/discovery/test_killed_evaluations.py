"""Runs of Trace that are killed after training, and go on to the same bits."""

import signal

import pytest

from helpers.killed_commands import run_command
from helpers.waves import pack_waves
from owdfa_jax.soak.differences import first_difference

# Seven commands in processes of their own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def waves(tmp_path_factory):
  return pack_waves(tmp_path_factory.mktemp('waves'))


def arguments(packed, workdir):
  return (
    '--config=configs/trace.py:folder64',
    f'--config.data.path={packed}',
    f'--workdir={workdir}',
    '--config.model.width=0.125',
    '--config.batch_size=16',
    '--config.eval.batch_size=16',
    '--config.epochs=1',
    '--config.passes_per_epoch=1',
    '--config.log.tensorboard=False',
    '--config.log.page=False',
  )


def test_killed_before_centres_sources_and_report(waves, tmp_path):
  """One run is killed in turn before each file of its evaluation appears."""
  whole, run = tmp_path / 'whole', tmp_path / 'run'
  done = run_command(arguments(waves, whole))
  assert done.returncode == 0, done.stderr
  for name in ('centres-', 'sources-', 'report.json', 'attributions.csv'):
    killed = run_command(arguments(waves, run), killed_before=name)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not list(run.glob(f'{name}*'))
    # Files of evaluations that ended before are there already.
    assert bool(list(run.glob('centres-*'))) == (name != 'centres-')
  done = run_command(arguments(waves, run))
  assert done.returncode == 0, done.stderr
  assert not [p for p in run.iterdir() if 'partial' in p.name]
  assert not first_difference(str(run), str(whole))
