"""The trace of some training steps: when it begins and ends."""

import jax
import pytest
from etils import epath

from owdfa_jax.training.step_profile import StepProfile


@pytest.fixture
def events(monkeypatch):
  """What happens to the trace, in order."""
  found = []
  monkeypatch.setattr(
    jax.profiler, 'start_trace', lambda folder, **_: found.append(folder)
  )
  monkeypatch.setattr(jax.profiler, 'stop_trace', lambda: found.append('stop'))
  return found


def run(events, num_steps, start, total):
  profile = StepProfile(
    epath.Path('run'), num_steps, start, lambda: events.append('wait')
  )
  with profile:
    for step in range(start + 1, total + 1):
      with profile.step(step):
        events.append(step)
  return events


@pytest.mark.parametrize('start', [0, 40])
def test_the_first_three_steps_are_not_traced(events, start):
  before, traced = [start + k for k in (1, 2, 3)], [start + 4, start + 5]
  assert run(events, 2, start, start + 6) == [
    *before,
    'wait',
    'run/profile',
    *traced,
    'wait',
    'stop',
    start + 6,
  ]


def test_a_run_that_ends_early_ends_the_trace(events):
  assert run(events, 100, 0, 4) == [1, 2, 3, 'wait', 'run/profile', 4, 'stop']


def test_none_unless_asked_for(events):
  assert run(events, 0, 0, 5) == [1, 2, 3, 4, 5]
