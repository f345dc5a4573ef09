"""Signals become questions; a second one is not held back."""

import os
import signal

import pytest

from owdfa_jax.training.interrupt import Interrupt


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_first_signal_only_sets_the_flag(number):
  before = signal.getsignal(number)
  with Interrupt() as interrupt:
    assert not interrupt.requested(1)
    os.kill(os.getpid(), number)
    assert interrupt.requested(2)
    assert interrupt.exit_status == 128 + number
    # From here on the signal does what it did before.
    assert signal.getsignal(number) is before
  assert signal.getsignal(number) is before


def test_handlers_come_back_without_a_signal():
  before = signal.getsignal(signal.SIGTERM)
  with Interrupt():
    assert signal.getsignal(signal.SIGTERM) is not before
  assert signal.getsignal(signal.SIGTERM) is before


def test_pod_asks_its_own_agreement():
  before = signal.getsignal(signal.SIGTERM)
  with Interrupt(lambda step: step == 5) as interrupt:
    assert signal.getsignal(signal.SIGTERM) is before
    assert not interrupt.requested(4)
    assert interrupt.requested(5)
