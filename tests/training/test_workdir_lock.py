"""Tests that a workdir has one writer, and that the lock dies with it."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest
from etils import epath

from helpers.paths import ROOT
from helpers.runs import tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax.training import workdir_lock
from owdfa_jax.training.workdir import open_workdir
from owdfa_jax.training.workdir_lock import LOCK_FILE, lock_workdir

# Holds the lock, has a forked child as a loader of images has, and waits.
HOLDER = """
import os, sys, time
from etils import epath
from owdfa_jax.training.workdir_lock import lock_workdir

with lock_workdir(epath.Path(sys.argv[1])):
  if os.fork() == 0:
    time.sleep(60)
    os._exit(0)
  print('locked', flush=True)
  time.sleep(60)
"""


@pytest.fixture
def workdir(tmp_path):
  return epath.Path(tmp_path / 'run')


@pytest.fixture
def holder(workdir):
  """Another process that holds the lock; its group ends with the test."""
  with subprocess.Popen(
    [sys.executable, '-c', HOLDER, workdir],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    text=True,
    start_new_session=True,
  ) as process:
    try:
      assert process.stdout.readline() == 'locked\n'
      yield process
    finally:
      os.killpg(process.pid, signal.SIGKILL)


def test_second_process_gets_an_error_that_names_the_first(
  workdir, holder, packed
):
  experiment = tiny_experiment(packed, workdir)
  with (
    pytest.raises(
      UserError,
      match=f'another process trains .*{workdir} .process {holder.pid} on '
      '.*, since 20.*; wait until it ends, stop it, or choose another',
    ),
    open_workdir(experiment),
  ):
    pass
  assert not (workdir / 'config.json').exists()


def test_lock_ends_with_its_process_although_a_child_lives(workdir, holder):
  holder.kill()
  holder.wait()
  with lock_workdir(workdir):
    record = json.loads((workdir / LOCK_FILE).read_text())
  assert record['pid'] == os.getpid()


def test_lock_is_given_up_at_the_end(workdir):
  for _ in range(2):
    with pytest.raises(ZeroDivisionError), lock_workdir(workdir):
      raise ZeroDivisionError


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL])
def test_file_system_without_locks_is_named(
  workdir, monkeypatch, capsys, number
):
  def refuse(descriptor, operation):
    raise OSError(number, os.strerror(number))

  monkeypatch.setattr(fcntl, 'lockf', refuse)
  with lock_workdir(workdir):
    pass
  out = capsys.readouterr().out
  assert f'cannot lock {workdir} ({os.strerror(number)}): ' in out
  assert out.count('\n') == 1


def test_other_processes_of_a_pod_learn_of_the_lock(workdir, monkeypatch):
  monkeypatch.setattr(workdir_lock.jax, 'process_index', lambda: 1)
  monkeypatch.setattr(workdir_lock, 'from_first_process', lambda value: -1)
  with (
    pytest.raises(UserError, match=f'another process trains .*{workdir};'),
    lock_workdir(workdir),
  ):
    pass
  assert not workdir.exists()


def test_workdir_that_cannot_be_written(workdir):
  workdir.write_text('a file')
  with (
    pytest.raises(UserError, match='cannot be locked.*; choose another --work'),
    lock_workdir(workdir),
  ):
    pass
