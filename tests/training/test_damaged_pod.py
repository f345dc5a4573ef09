"""Tests that the processes of a pod agree on damage and on the lock."""

import fcntl

import pytest

from helpers.pod_runs import PodRun

SETTINGS = ('--config.epochs=2', '--config.passes_per_epoch=1')


def check_refused(packed, workdir, message):
  """Starts a pod; both of its processes must end with that error."""
  run = PodRun(packed, workdir, 2, more=SETTINGS)
  statuses, errors = run.end()
  assert statuses == [1, 1], errors
  for error in errors:
    assert f'error: {message}' in error
    assert 'Traceback' not in error


@pytest.mark.slow
def test_pod_agrees_on_damage_and_on_the_lock(packed, tmp_path):
  workdir = tmp_path / 'run'
  PodRun(packed, workdir, 2, more=SETTINGS).complete()
  latest = max((workdir / 'checkpoints').iterdir(), key=lambda p: int(p.name))
  # What process 1 wrote.
  for path in latest.glob('model/ocdbt.process_1/d/*'):
    path.write_bytes(bytes(path.stat().st_size))
  check_refused(packed, workdir, f'damaged checkpoint: {latest}/model/ocdbt')
  with open(workdir / '.lock', 'r+') as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    check_refused(packed, workdir, 'another process trains in the workdir')
