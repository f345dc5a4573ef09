"""Tests of which scalars are recorded, when, and with which rates."""

import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax.training import progress as progress_lib
from owdfa_jax.training.progress import Progress
from owdfa_jax.training.step_report import StepReport

BATCH = {'index': np.arange(8)}


class RecordingWriter:
  """Keeps what it is told to write."""

  def __init__(self):
    self.lines = []

  def write(self, step, scalars):
    self.lines.append((step, scalars))


class RecordingHandler:
  """Records the steps, and lets the run go on."""

  def __init__(self):
    self.taken, self.diverged = [], []

  def count(self, taken):
    self.taken.append(taken)
    return {'train/skipped_steps': self.taken.count(False)}

  def stop_or_skip(self, step, names, rows):
    self.diverged.append((step, names, rows.tolist()))


def make_progress(writer, start, total, every, handler=None):
  return Progress(writer, handler or RecordingHandler(), start, total, every)


def make_report(**numbers):
  """Returns the report of a step with these numbers."""
  finite = {name: jnp.isfinite(x) for name, x in numbers.items()}
  return StepReport(
    numbers={name: jnp.float32(x) for name, x in numbers.items()},
    shares={},
    finite=finite,
    taken=jnp.array(all(finite.values())),
  )


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
    progress.count_step(step, make_report(loss=step))
    clock.advance(1 - wait)


def test_scalars_are_recorded_every_few_steps_and_at_the_end(clock):
  writer = RecordingWriter()
  with make_progress(writer, 0, 7, 3) as progress:
    run_steps(progress, clock, range(1, 8))
  assert [step for step, _ in writer.lines] == [3, 6, 7]
  assert [line['train/loss'] for _, line in writer.lines] == [3, 6, 7]


def test_step_is_recorded_once_the_next_has_started(clock):
  writer = RecordingWriter()
  with make_progress(writer, 0, 4, 2) as progress:
    run_steps(progress, clock, [1, 2])
    assert not writer.lines
    run_steps(progress, clock, [3])
    assert [step for step, _ in writer.lines] == [2]


def test_rates_count_whole_steps(clock):
  writer = RecordingWriter()
  with make_progress(writer, 0, 20, 5) as progress:
    run_steps(progress, clock, range(1, 21))
  for _, line in writer.lines:
    assert line['time/step_seconds'] == pytest.approx(1)
    assert line['time/steps_per_second'] == pytest.approx(1)
    assert line['time/images_per_second'] == pytest.approx(8)


def test_wait_for_batches_is_measured(clock):
  writer = RecordingWriter()
  with make_progress(writer, 0, 20, 5) as progress:
    run_steps(progress, clock, range(1, 21), wait=0.25)
  waits = [line['time/input_wait_seconds'] for _, line in writer.lines]
  assert waits[:-1] == pytest.approx([0.25] * 3)


def test_time_between_epochs_does_not_count(clock):
  writer = RecordingWriter()
  with make_progress(writer, 0, 8, 4) as progress:
    for epoch in (range(1, 5), range(5, 9)):
      run_steps(progress, clock, epoch)
      progress.finish_step()
      clock.advance(100)
      progress.restart_clock()
  seconds = [line['time/step_seconds'] for _, line in writer.lines]
  assert seconds == pytest.approx([1, 1])


def test_share_of_no_rows_is_not_available_and_a_nan_loss_is_nan(clock):
  writer = RecordingWriter()
  shares = {'none': jnp.nan, 'half': jnp.float32(0.5)}
  with make_progress(writer, 0, 2, 1) as progress:
    for step, loss in ((1, 2.0), (2, jnp.nan)):
      progress.next_batch(iter([BATCH]))
      report = make_report(loss=loss)
      progress.count_step(step, report.replace(shares=shares))
      clock.advance(1)
  (_, taken), (_, diverged) = writer.lines
  assert taken['train/none'] is None and taken['train/half'] == 0.5
  assert taken['train/loss'] == 2
  assert np.isnan(diverged['train/loss'])
  assert 'train/none' not in diverged and 'train/half' not in diverged


def test_step_that_diverged_is_recorded_and_handled_with_its_own_rows(clock):
  writer, handler = RecordingWriter(), RecordingHandler()
  numbers = [
    {'loss': 1},
    {'loss': np.inf, 'cross_entropy': np.nan},
    {'loss': 3},
  ]
  with make_progress(writer, 0, 3, 3, handler) as progress:
    for step, values in enumerate(numbers, 1):
      progress.next_batch(iter([{'index': np.arange(step)}]))
      progress.count_step(step, make_report(**values))
      clock.advance(1)
  assert handler.taken == [True, False, True]
  assert handler.diverged == [(2, ['loss', 'cross_entropy'], [0, 1])]
  (diverged, line), (last, _) = writer.lines
  assert (diverged, last) == (2, 3)
  assert line['train/loss'] == np.inf and line['train/skipped_steps'] == 1
  assert 'time/step_seconds' not in line


def test_the_handler_ends_the_run_after_the_line_is_written(clock):
  class Stop(RecordingHandler):
    def stop_or_skip(self, step, names, rows):
      raise ZeroDivisionError

  writer = RecordingWriter()
  with pytest.raises(ZeroDivisionError):
    with make_progress(writer, 0, 2, 2, Stop()) as progress:
      progress.next_batch(iter([BATCH]))
      progress.count_step(1, make_report(loss=np.nan))
      clock.advance(1)
      progress.finish_step()
  assert [step for step, _ in writer.lines] == [1]


def test_the_bar_is_closed_if_the_last_step_ends_the_run(monkeypatch):
  class Stop(RecordingHandler):
    def stop_or_skip(self, step, names, rows):
      raise ZeroDivisionError

  closed = []
  with pytest.raises(ZeroDivisionError):
    with make_progress(RecordingWriter(), 0, 1, 1, Stop()) as progress:
      monkeypatch.setattr(progress._bar, 'close', lambda: closed.append(True))
      progress.next_batch(iter([BATCH]))
      progress.count_step(1, make_report(loss=np.nan))
  assert closed


def test_compilation_is_announced_before_a_step_is_taken(clock, capsys):
  del clock
  with make_progress(RecordingWriter(), 0, 1, 1):
    assert 'compiling the training step' in capsys.readouterr().out


def test_error_within_a_step_is_not_hidden(clock):
  """A failed step is not waited for again on the way out."""
  writer = RecordingWriter()
  with pytest.raises(ZeroDivisionError):
    with make_progress(writer, 0, 1, 1) as progress:
      run_steps(progress, clock, [1])
      raise ZeroDivisionError
  assert not writer.lines
