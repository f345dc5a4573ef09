"""Tests of which scalars are recorded, when, and with which rates."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax.training import progress as progress_lib
from owdfa_jax.training.progress import Progress

BATCH = {'index': np.arange(8)}


class RecordingWriter:
  """Keeps what it is told to write."""

  def __init__(self):
    self.lines = []

  def write(self, step, scalars):
    self.lines.append((step, scalars))


@pytest.fixture
def clock(monkeypatch):
  """A clock that only `advance` moves."""

  class Clock:
    now = 0.0

    def advance(self, seconds):
      self.now += seconds

  clock = Clock()
  monkeypatch.setattr(progress_lib.time, 'perf_counter', lambda: clock.now)
  return clock


def run_steps(progress, clock, steps, wait=0.0):
  """Runs steps that take a second each, `wait` of it for their batch."""

  def batches():
    clock.advance(wait)
    return BATCH

  for step in steps:
    progress.next_batch(iter(batches, None))
    progress.count_step(step, {'train/loss': jnp.float32(step)})
    clock.advance(1 - wait)


def test_scalars_are_recorded_every_few_steps_and_at_the_end(clock):
  writer = RecordingWriter()
  with Progress(writer, 0, 7, 3) as progress:
    run_steps(progress, clock, range(1, 8))
  assert [step for step, _ in writer.lines] == [3, 6, 7]
  assert [line['train/loss'] for _, line in writer.lines] == [3, 6, 7]


def test_step_is_recorded_once_the_next_has_started(clock):
  writer = RecordingWriter()
  with Progress(writer, 0, 4, 2) as progress:
    run_steps(progress, clock, [1, 2])
    assert not writer.lines
    run_steps(progress, clock, [3])
    assert [step for step, _ in writer.lines] == [2]


def test_rates_count_whole_steps(clock):
  writer = RecordingWriter()
  with Progress(writer, 0, 20, 5) as progress:
    run_steps(progress, clock, range(1, 21))
  for _, line in writer.lines:
    assert line['time/step_seconds'] == pytest.approx(1)
    assert line['time/steps_per_second'] == pytest.approx(1)
    assert line['time/images_per_second'] == pytest.approx(8)


def test_wait_for_batches_is_measured(clock):
  writer = RecordingWriter()
  with Progress(writer, 0, 20, 5) as progress:
    run_steps(progress, clock, range(1, 21), wait=0.25)
  waits = [line['time/input_wait_seconds'] for _, line in writer.lines]
  assert waits[:-1] == pytest.approx([0.25] * 3)


def test_time_between_epochs_does_not_count(clock):
  writer = RecordingWriter()
  with Progress(writer, 0, 8, 4) as progress:
    for epoch in (range(1, 5), range(5, 9)):
      run_steps(progress, clock, epoch)
      progress.finish_step()
      clock.advance(100)
      progress.restart_clock()
  seconds = [line['time/step_seconds'] for _, line in writer.lines]
  assert seconds == pytest.approx([1, 1])


def test_nan_is_written_as_not_available(clock):
  writer = RecordingWriter()
  with Progress(writer, 0, 1, 1) as progress:
    progress.next_batch(iter([BATCH]))
    progress.count_step(1, {'train/a': jnp.nan, 'train/b': jnp.float32(2)})
    clock.advance(1)
  ((_, line),) = writer.lines
  assert line['train/a'] is None and line['train/b'] == 2
  assert not any(x is not None and math.isnan(x) for x in line.values())


def test_compilation_is_announced_before_a_step_is_taken(clock, capsys):
  del clock
  with Progress(RecordingWriter(), 0, 1, 1):
    assert 'compiling the training step' in capsys.readouterr().out


def test_error_within_a_step_is_not_hidden(clock):
  """A failed step is not waited for again on the way out."""
  writer = RecordingWriter()
  with pytest.raises(ZeroDivisionError):
    with Progress(writer, 0, 1, 1) as progress:
      run_steps(progress, clock, [1])
      raise ZeroDivisionError
  assert not writer.lines
