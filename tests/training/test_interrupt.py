"""Tests that the first signal sets a flag, and the second one stops."""

import os
import signal

import pytest

from owdfa_jax.training.interrupt import Interrupt


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_first_signal_only_sets_a_flag(number):
  before = signal.getsignal(number)
  with Interrupt() as interrupt:
    assert not interrupt.requested(1)
    os.kill(os.getpid(), number)
    assert interrupt.requested(2)
    assert interrupt.exit_status == 128 + number
    # A second signal has its usual effect.
    assert signal.getsignal(number) is before
  assert signal.getsignal(number) is before


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
