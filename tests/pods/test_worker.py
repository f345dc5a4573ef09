"""Tests that the processes of a pod end together, whatever ends one of them."""

import signal
import time

import pytest

from helpers.pod_processes import AGAIN, KILLED, Pod, ends

LOST = 'error: a process of the pod is lost: process {} of {} ({})'
CLOSED = 'its connection closed'
KILL = 'os.kill(os.getpid(), signal.SIGKILL)'
GLOO = 'raise ValueError("UNKNOWN: Gloo AllGather failed: Connection closed")'


def test_work_that_ends_keeps_its_status(tmp_path):
  statuses, errors = Pod(tmp_path, 'sys.exit(3)', 'pass').end()
  assert statuses == [3, 0]
  assert errors == ['', '']


@pytest.mark.parametrize('victim', [0, 1])
def test_killed_work_ends_all(tmp_path, victim):
  works = ['hang()', 'hang()', 'hang()']
  works[victim] = KILL
  statuses, errors = Pod(tmp_path, *works).end()
  assert statuses == [75, 75, 75]
  assert errors == [KILLED.format(victim, 3) + AGAIN] * 3


@pytest.mark.parametrize('victim', [0, 1])
def test_killed_supervisor_ends_all(tmp_path, victim):
  pod = Pod(tmp_path, 'hang()', 'hang()')
  pod.all_work()
  pod.kill(victim)
  statuses, errors = pod.end()
  other = 1 - victim
  assert (statuses[victim], statuses[other]) == (-signal.SIGKILL, 75)
  assert errors[other] == LOST.format(victim, 2, CLOSED) + AGAIN


def test_killed_supervisor_ends_work_that_tells_it_something(tmp_path):
  work = (
    'early:wait_for("go"); pod.joined(0, 1, "", 0, ""); tell("told"); hang()'
  )
  pod = Pod(tmp_path, work)
  pod.all_work()
  pod.kill(0, signal.SIGSTOP)
  (tmp_path / 'go').touch()
  while not (tmp_path / 'told').exists():
    time.sleep(0.02)
  pod.kill(0)
  assert pod.end()[0] == [-signal.SIGKILL]


@pytest.mark.parametrize('end', [KILL, 'raise UserError("x")', 'hang()'])
def test_what_the_work_started_ends_too(tmp_path, end):
  """The processes that read images would keep their memory."""
  start = 'import subprocess; p = subprocess.Popen(["sleep", "300"])'
  work = f'{start}; tell("started", p.pid); {end}'
  pod = Pod(tmp_path, work, 'hang()')
  if end == 'hang()':
    pod.all_work()
    pod.kill(0)
  pod.end()
  assert ends(int((tmp_path / 'started').read_text()))


@pytest.mark.parametrize('victim', [0, 1])
def test_silence_ends_all(tmp_path, victim):
  pod = Pod(tmp_path, 'hang()', 'hang()', timeout=1)
  pod.all_work()
  pod.kill(victim, signal.SIGSTOP)
  other = 1 - victim
  _, error = pod.processes[other].communicate(timeout=30)
  pod.kill(victim, signal.SIGCONT)
  statuses, _ = pod.end()
  assert statuses[other] == 75
  silent = LOST.format(victim, 2, 'no sign of life for 1 s')
  assert error.strip() == silent + AGAIN


def test_signal_without_a_name(tmp_path):
  statuses, errors = Pod(tmp_path, 'os.kill(os.getpid(), 40)', 'hang()').end()
  assert statuses == [75, 75]
  line = KILLED.format(0, 2).replace('SIGKILL', 'signal 40')
  assert errors == [line + AGAIN] * 2


def test_supervisor_rests_while_its_work_prints(tmp_path):
  work = """
class Slow(Exception):
  def __str__(self):
    time.sleep(6 * pathlib.Path(folder, 'is_told').exists())
    tell('is_told')
    return 'why'
raise Slow
"""
  pod = Pod(tmp_path, 'hang()', work)
  pod.all_work()
  time.sleep(1)
  before = pod.processor_seconds(1)
  time.sleep(2)
  assert pod.processor_seconds(1) - before < 0.1
  statuses, errors = pod.end()
  assert statuses == [75, 1]
  assert 'Traceback' in errors[1]


@pytest.mark.parametrize('victim', [0, 1])
def test_consequences_wait_for_the_cause(tmp_path, victim):
  """A collective fails when another process is gone, and says less."""
  works = [GLOO, GLOO]
  works[victim] = f'time.sleep(1); {KILL}'
  statuses, errors = Pod(tmp_path, *works).end()
  assert statuses == [75, 75]
  assert errors == [KILLED.format(victim, 2) + AGAIN] * 2


def test_pages_of_logs_of_a_lost_process_are_left_out(tmp_path):
  abort = 'cpp("hello"); cpp("coordination_service.cc: gone"); os.abort()'
  statuses, errors = Pod(tmp_path, f'time.sleep(1); {KILL}', abort).end()
  assert statuses == [75, 75]
  assert errors[1] == 'hello\n' + KILLED.format(0, 2) + AGAIN


def test_failure_before_the_others_are_found(tmp_path):
  early = 'early:raise UserError("no such folder: x; give another")'
  abort = 'early:cpp("JAX distributed service: deadline"); os.abort()'
  statuses, errors = Pod(tmp_path, early, abort).end()
  assert statuses == [1, 75]
  assert errors[0] == 'error: no such folder: x; give another'
  assert errors[1].endswith(
    'error: the processes of the pod did not find each other: this process '
    f"(ended by JAX's coordination service){AGAIN}"
  )
