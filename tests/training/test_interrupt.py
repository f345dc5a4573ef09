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
