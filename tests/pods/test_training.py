"""Tests that a pod which was killed goes on to the same result."""

import json
import shutil
import signal

import pytest

from helpers.pod_runs import (
  PodRun,
  has_logged,
  has_saved,
  is_saving,
  last_line,
)
from owdfa_jax.soak.differences import first_difference

# Each of these tests starts several pods.
pytestmark = pytest.mark.slow
# Steps of an epoch of the packed data of the tests.
EPOCH = 6


@pytest.fixture(scope='module')
def whole(packed, tmp_path_factory):
  """The workdir of a pod of two processes that nothing disturbed."""
  workdir = tmp_path_factory.mktemp('whole')
  PodRun(packed, workdir, 2).complete()
  return workdir


@pytest.fixture(scope='module')
def killed(packed, tmp_path_factory):
  """A workdir whose pod was killed after its first checkpoint."""
  workdir = tmp_path_factory.mktemp('killed')
  pod = PodRun(packed, workdir, 2)
  pod.signal_when(has_saved(EPOCH), 1)
  check_killed(pod, 1)
  return workdir


def check_killed(pod, victim):
  """Checks that all processes ended as they should after a kill of one."""
  statuses, errors = pod.end()
  other = 1 - victim
  assert (statuses[victim], statuses[other]) == (-signal.SIGKILL, 75), errors
  line = last_line(errors[other])
  assert line.startswith('error: a process of the pod is lost: process')
  assert f'process {victim} of 2' in line
  assert 'Traceback' not in errors[other]
  assert 'stack trace' not in errors[other]


def test_killed_in_every_phase(packed, whole, killed, tmp_path):
  """After a checkpoint, in an evaluation, in a save; then to the end."""
  workdir = tmp_path / 'run'
  shutil.copytree(killed, workdir)
  pod = PodRun(packed, workdir, 2)
  pod.signal_when(has_logged(2 * EPOCH), 0)
  check_killed(pod, 0)
  pod = PodRun(packed, workdir, 2)
  pod.signal_when(is_saving(2 * EPOCH), 0)
  check_killed(pod, 0)
  pod = PodRun(packed, workdir, 2)
  pod.complete()
  assert 'resuming after step' in pod.printed[0]
  assert not first_difference(str(workdir), str(whole))


@pytest.mark.parametrize('victim', [0, 1])
def test_sigterm_stops_all_after_the_same_step(packed, whole, tmp_path, victim):
  workdir = tmp_path / 'run'
  pod = PodRun(packed, workdir, 2)
  pod.signal_when(has_logged(2), victim, signal.SIGTERM)
  statuses, errors = pod.end()
  assert statuses == [143, 143], errors
  assert 'is saved; run the same command again' in pod.printed[0]
  assert 'Traceback' not in ''.join(errors)
  PodRun(packed, workdir, 2).complete()
  assert not first_difference(str(workdir), str(whole))


def test_one_process_goes_on(packed, whole, killed, tmp_path):
  """The sums are those of four devices, so they agree up to rounding."""
  workdir = tmp_path / 'run'
  shutil.copytree(killed, workdir)
  pod = PodRun(packed, workdir, 1)
  pod.complete()
  assert 'resuming after step' in pod.printed[0]
  lines, expected = read_metrics(workdir), read_metrics(whole)
  assert lines.keys() == expected.keys()
  # Later steps grow apart: Adam divides by the size of the gradient, so that a
  # parameter whose gradient is rounding noise can move either way.
  for name in ('train/loss', 'train/partner_paired'):
    here, there = (x[EPOCH + 1][name] for x in (lines, expected))
    assert here == pytest.approx(there, rel=1e-5), name


def read_metrics(workdir):
  """Returns the scalars of training by their steps."""
  text = (workdir / 'metrics.jsonl').read_text()
  lines = [json.loads(line) for line in text.splitlines()]
  return {x['step']: x for x in lines if 'train/loss' in x}


@pytest.mark.parametrize('victim', [0, 1])
def test_damaged_record_of_one_process_ends_all(packed, tmp_path, victim):
  damaged = tmp_path / 'damaged'
  shutil.copytree(packed, damaged)
  (shard,) = damaged.glob('*-train.tfrecord-*')
  content = bytearray(shard.read_bytes())
  for place in range(200, len(content), 1000):
    content[place] ^= 255
  shard.write_bytes(content)
  data = [packed, packed]
  data[victim] = damaged
  statuses, errors = PodRun(data, tmp_path / 'run', 2).end()
  assert statuses == [1, 1], errors
  lines = [last_line(error) for error in errors]
  assert (
    lines[1 - victim] == f'{lines[victim]} (process {victim} of 2 of the pod)'
  )
  assert str(damaged) in lines[victim]
  assert 'Traceback' not in ''.join(errors)


def test_full_disk_of_one_process_ends_all(packed, whole, tmp_path):
  workdir = tmp_path / 'run'
  limit = ['bash', '-c', 'ulimit -f 20; exec "$@"', 'bash']
  # The limit would leave a truncated program in the cache of all tests.
  uncached = ['--config.compilation_cache=']
  statuses, errors = PodRun(packed, workdir, 2, [(), limit], uncached).end()
  assert statuses == [1, 1], errors
  for error in errors:
    assert 'cannot write the checkpoint' in last_line(error)
    assert 'Traceback' not in error
  PodRun(packed, workdir, 2).complete()
  assert not first_difference(str(workdir), str(whole))
