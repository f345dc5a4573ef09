"""Reports a run's progress: a progress bar, lines of text, and metrics."""

import time
import types
from collections.abc import Iterator, Sequence
from typing import Protocol

import jax
import numpy as np
from tqdm import tqdm

from input_pipeline import escape
from input_pipeline.batches import Batch
from input_pipeline.progress_bars import is_quiet, progress_bar
from owdfa_jax.training.step_report import (
  StepReport,
  as_scalars,
  names_not_finite,
  was_taken,
)
from owdfa_jax.training.writers import Writers


def say(line: str, *, always: bool = False) -> None:
  """Prints a line above the progress bar, on the first process of a pod.

  Nothing with -q, which shows no progress.

  Args:
    line: the text.
    always: whether -q shows it too, as a result or a warning.
  """
  if jax.process_index() == 0 and (always or not is_quiet()):
    tqdm.write(escape.terminal_lines(line))


class DivergenceHandler(Protocol):
  """Decides what follows a step that diverged; `training.divergence` does."""

  def count(self, taken: bool) -> dict[str, float | None]:
    """Counts a step; returns scalars for the log."""

  def stop_or_skip(
    self, step: int, names: Sequence[str], rows: np.ndarray
  ) -> None:
    """Returns if the run goes on after a step that diverged."""


class Progress:
  """Times the steps and passes their scalars to the writers.

  JAX runs a step on the device while the host continues. Each step is
  therefore handled one step late: only after the next one has started does
  `count_step` wait for it, write its scalars, and see whether it diverged. The
  device always has a step to run, batches do not pile up in memory, and the
  measured times are those of the device.

  As a context manager, it handles the last step at the end.
  """

  def __init__(
    self,
    writers: Writers,
    divergence: DivergenceHandler,
    start: int,
    total: int,
    every: int,
  ):
    """Starts the progress bar and the clock.

    Args:
      writers: receive the scalars.
      divergence: counts each step, and may end the run.
      start: steps taken before.
      total: steps at the end of the run.
      every: steps between two records of the scalars; the last step is
        recorded too.
    """
    self._writers = writers
    self._divergence = divergence
    self._first = start + 1
    self._total = total
    self._every = every
    self._images_per_step = 0  # of all processes together
    # The rows of the batch last returned, for the step that is started next.
    self._rows = np.zeros(0, np.int32)
    # The step that runs on the device, its report, and the rows of its batch.
    self._running: tuple[int, StepReport, np.ndarray] | None = None
    self._bar = progress_bar(
      'train',
      total,
      'step',
      initial=start,
      shown=jax.process_index() == 0,
    )
    if start < total:
      say(
        'compiling the training step; this takes up to a minute the first time'
      )
    self.restart_clock()

  def __enter__(self) -> 'Progress':
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: types.TracebackType | None,
  ) -> None:
    try:
      if error is None:
        self.finish_step()
    finally:
      self._bar.close()

  def restart_clock(self) -> None:
    """Starts a new measurement of the rates."""
    self._since = time.perf_counter()
    self._steps = 0
    self._waited = 0.0

  def next_batch(self, batches: Iterator[Batch]) -> Batch:
    """Returns the next batch, and measures how long it was waited for."""
    began = time.perf_counter()
    batch = next(batches)
    self._waited += time.perf_counter() - began
    self._rows = batch['index']
    self._images_per_step = len(batch['index']) * jax.process_count()
    return batch

  def count_step(self, step: int, report: StepReport) -> None:
    """Counts a step that has just started, and finishes the one before it.

    Args:
      step: steps taken, this one included.
      report: the step's report, possibly still being computed.

    Raises:
      UserError: the step before diverged, and the run stops.
    """
    self.finish_step()
    self._running = step, report, self._rows
    self._bar.update()

  def finish_step(self) -> None:
    """Waits for the running step, and records its scalars if they are due.

    Called before an evaluation or a save, so that its time does not count as
    the step's, and that neither happens after a step that stops the run.

    Raises:
      UserError: the step diverged, and the run stops.
    """
    if self._running is None:
      return
    step, report, rows = self._running
    self._running = None
    taken = was_taken(report)
    self._steps += 1
    counts = self._divergence.count(taken)
    if step % self._every == 0 or step == self._total:
      self._writers.write(step, as_scalars(report) | counts | self._rates())
      self.restart_clock()
    elif not taken:
      self._writers.write(step, as_scalars(report) | counts)
    if step == self._first:
      # The first step includes compilation, which would distort the rates.
      self.restart_clock()
    if not taken:
      self._divergence.stop_or_skip(step, names_not_finite(report), rows)

  def record_evaluation(
    self, step: int, metrics: dict[str, float | None]
  ) -> None:
    """Writes the metrics of an evaluation after `step`."""
    self._writers.write(
      step, {f'eval/{name}': value for name, value in metrics.items()}
    )

  def _rates(self) -> dict[str, float]:
    seconds = (time.perf_counter() - self._since) / self._steps
    return {
      'time/step_seconds': seconds,
      'time/input_wait_seconds': self._waited / self._steps,
      'time/steps_per_second': 1 / seconds,
      'time/images_per_second': self._images_per_step / seconds,
    }
