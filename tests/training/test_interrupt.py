"""Tests that the first signal sets a flag, and the second one ends the run."""

import os
import signal
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from owdfa_jax.training.interrupt import Interrupt


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_first_signal_only_sets_a_flag(number):
  before = signal.getsignal(number)
  with Interrupt() as interrupt:
    assert not interrupt.requested(1)
    os.kill(os.getpid(), number)
    assert interrupt.requested(2)
    assert interrupt.exit_status == 128 + number
    assert signal.getsignal(number) is not before
  assert signal.getsignal(number) is before


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_the_process_at_once(number):
  code = (
    'import os\n'
    'from owdfa_jax.training.interrupt import Interrupt\n'
    'with Interrupt():\n'
    '  try:\n'
    f'    for _ in range(2): os.kill(os.getpid(), {int(number)})\n'
    '  finally:\n'
    '    print("unwound")'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
  )
  assert done.returncode == 128 + number
  assert done.stderr.endswith('\ninterrupted\n') and not done.stdout


def test_handlers_are_restored_without_a_signal():
  before = signal.getsignal(signal.SIGTERM)
  with Interrupt():
    assert signal.getsignal(signal.SIGTERM) is not before
  assert signal.getsignal(signal.SIGTERM) is before


def test_pod_uses_its_own_preemption_check():
  before = signal.getsignal(signal.SIGTERM)
  with Interrupt(lambda step: step == 5) as interrupt:
    assert signal.getsignal(signal.SIGTERM) is before
    assert not interrupt.requested(4)
    assert interrupt.requested(5)


# As a compiler does, one call holds the main thread, but not Python's lock.
COMPILING = (
  'import hashlib\n'
  'from owdfa_jax.training.interrupt import Interrupt\n'
  'with Interrupt():\n'
  '  print("begun", flush=True)\n'
  '  hashlib.pbkdf2_hmac("sha256", b"", b"", 10**8)\n'
)


def start_compiling():
  """Starts a process that is in a long call once it has printed a line."""
  return subprocess.Popen(
    [sys.executable, '-c', COMPILING],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def test_process_that_compiles_answers_at_once():
  with start_compiling() as process:
    assert process.stdout.readline() == 'begun\n'
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == '\n'
    assert process.stderr.readline().startswith('stopping after this step')
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 128 + signal.SIGINT
    assert process.stderr.read() == '\ninterrupted\n'


def test_second_signal_ends_a_process_whose_output_nobody_reads():
  with start_compiling() as process:
    try:
      assert process.stdout.readline() == 'begun\n'
      process.stderr.close()  # as Ctrl-C ends `tee`
      process.send_signal(signal.SIGINT)
      # Two signals at the same moment would be one.
      with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
      process.send_signal(signal.SIGINT)
      assert process.wait(timeout=10) == 128 + signal.SIGINT
    finally:
      process.kill()


def test_pipe_of_another_library_is_restored():
  read_end, write_end = os.pipe()
  os.set_blocking(write_end, False)
  before = signal.set_wakeup_fd(write_end)
  try:
    with Interrupt():
      pass
    assert signal.set_wakeup_fd(before) == write_end
  finally:
    signal.set_wakeup_fd(before)
    os.close(read_end)
    os.close(write_end)


def test_context_ends_while_a_forked_child_has_its_pipe():
  code = (
    'import os, signal, time\n'
    'from owdfa_jax.training.interrupt import Interrupt\n'
    'with Interrupt():\n'
    '  child = os.fork()\n'
    '  if not child:\n'
    '    time.sleep(20)\n'
    '    os._exit(0)\n'
    'assert os.waitpid(child, os.WNOHANG) == (0, 0)\n'
    'os.kill(child, signal.SIGKILL)\n'
  )
  subprocess.run(
    [sys.executable, '-W', 'ignore', '-c', code], cwd=ROOT, check=True
  )
