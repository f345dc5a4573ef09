"""Two processes hold parts of one state: killed, and resumed on other numbers.

Each of the four devices holds a quarter of the large arrays.
"""

import shutil

import pytest

from helpers.pod_runs import PodRun, has_saved, read_losses
from owdfa_jax.soak.differences import first_difference

# Each of these tests starts several pods.
pytestmark = pytest.mark.slow
SHARDED = ('--config.state_shards=4', '--config.epochs=2')
# Steps of an epoch of the packed data of the tests.
EPOCH = 6


@pytest.fixture(scope='module')
def whole(packed, tmp_path_factory):
  """The workdir of a pod that nothing disturbed."""
  workdir = tmp_path_factory.mktemp('whole')
  PodRun(packed, workdir, 2, more=SHARDED).complete()
  return workdir


@pytest.fixture(scope='module')
def killed(packed, tmp_path_factory):
  """A workdir whose pod was killed after its first checkpoint."""
  workdir = tmp_path_factory.mktemp('killed')
  run = PodRun(packed, workdir, 2, more=SHARDED)
  run.signal_when(has_saved(EPOCH), 1)
  statuses, errors = run.end()
  assert sorted(statuses) == [-9, 75], errors
  return workdir


def test_the_same_number_goes_on_to_the_same_bits(
  packed, whole, killed, tmp_path
):
  workdir = tmp_path / 'run'
  shutil.copytree(killed, workdir)
  PodRun(packed, workdir, 2, more=SHARDED).complete()
  assert not first_difference(str(workdir), str(whole))


@pytest.mark.parametrize(
  'more', [SHARDED, ('--config.epochs=2',)], ids=['sharded', 'whole']
)
def test_another_number_goes_on(packed, whole, killed, tmp_path, more):
  """One process, with parts of the state or with copies: up to rounding."""
  workdir = tmp_path / 'run'
  shutil.copytree(killed, workdir)
  run = PodRun(packed, workdir, 1, more=more)
  run.complete()
  assert 'resuming after step' in run.printed[0]
  losses, expected = read_losses(workdir), read_losses(whole)
  assert losses.keys() == expected.keys()
  assert losses[EPOCH + 1] == pytest.approx(expected[EPOCH + 1], rel=1e-5)


def test_copies_of_the_state_train_the_same(packed, whole, tmp_path):
  workdir = tmp_path / 'run'
  PodRun(packed, workdir, 2, more=('--config.epochs=2',)).complete()
  losses, expected = read_losses(workdir), read_losses(whole)
  assert losses.keys() == expected.keys()
  assert losses[1] == pytest.approx(expected[1], rel=1e-5)
