"""Tests of signals that reach the processes of a pod."""

import os
import signal
import subprocess
import sys
import time

import pytest

from helpers.paths import ROOT
from helpers.pod_processes import AGAIN, KILLED, Pod


def test_sigterm_reaches_the_work(tmp_path):
  stop = 'signal.signal(15, lambda *_: sys.exit(143)); hang()'
  pod = Pod(tmp_path, stop, 'time.sleep(1)')
  pod.all_work()
  pod.kill(0, signal.SIGTERM)
  statuses, errors = pod.end()
  assert statuses == [143, 0]
  assert errors == ['', '']


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_after_the_end_of_the_work_changes_nothing(tmp_path, number):
  pod = Pod(tmp_path, 'pass', 'time.sleep(3)')
  pod.wait_for_end(0)
  pod.kill(0, number)
  assert pod.end() == ([0, 0], ['', ''])


def test_second_ctrl_c_ends_the_wait_for_the_others(tmp_path):
  pod = Pod(tmp_path, 'pass', 'hang()')
  pod.wait_for_end(0)
  for _ in range(2):
    pod.kill(0, signal.SIGINT)
    time.sleep(0.5)
  statuses, errors = pod.end()
  assert statuses == [0, 75]
  assert errors[1] == KILLED.format(0, 2).replace('KILL', 'INT') + AGAIN


def test_second_ctrl_c_ends_work_that_leads_no_group_yet():
  script = """
import os, signal, socket, sys, time
from owdfa_jax.pods.supervisor import Supervisor
child = os.fork()
if not child:
  signal.signal(signal.SIGTERM, signal.SIG_IGN)
  for _ in range(2):
    time.sleep(1)
    os.kill(os.getppid(), signal.SIGINT)
  time.sleep(20)
  os._exit(0)
supervisor = Supervisor(
  child, socket.socketpair()[0], os.pipe()[0], socket.socket(), 60
)
sys.exit(supervisor.run())
"""
  done = subprocess.run(
    [sys.executable, '-c', script],
    env=os.environ | {'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 75
  assert done.stderr == (
    f'\n{KILLED.replace("process {} of {}", "this process")}{AGAIN}\n'
  )
