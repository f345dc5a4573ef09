"""Reports a run's progress: a progress bar, lines of text, and metrics."""

import math
import time
import types
from collections.abc import Iterator

import jax
from tqdm import tqdm

from input_pipeline.batches import Batch
from owdfa_jax.parallel import to_host
from owdfa_jax.training.writers import Writers


def say(line: str) -> None:
  """Prints a line above the progress bar, on the first process of a pod."""
  if jax.process_index() == 0:
    tqdm.write(line)


class Progress:
  """Times the steps and passes their scalars to the writers.

  JAX runs a step on the device while the host continues. Each step is
  therefore handled one step late: only after the next one has started does
  `count_step` wait for it and write its scalars. The device always has a step
  to run, batches do not pile up in memory, and the measured times are those of
  the device.

  As a context manager, it handles the last step at the end.
  """

  def __init__(self, writers: Writers, start: int, total: int, every: int):
    """Starts the progress bar and the clock.

    Args:
      writers: receive the scalars.
      start: steps taken before.
      total: steps at the end of the run.
      every: steps between two records of the scalars; the last step is
        recorded too.
    """
    self._writers = writers
    self._first = start + 1
    self._total = total
    self._every = every
    self._images_per_step = 0  # of all processes together
    # The step that runs on the device, and its scalars.
    self._running: tuple[int, dict[str, jax.Array]] | None = None
    self._bar = tqdm(
      total=total,
      initial=start,
      unit='step',
      disable=jax.process_index() != 0,
      dynamic_ncols=True,
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
    if error is None:
      self.finish_step()
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
    self._images_per_step = len(batch['index']) * jax.process_count()
    return batch

  def count_step(self, step: int, scalars: dict[str, jax.Array]) -> None:
    """Counts a step that has just started, and finishes the one before it.

    Args:
      step: steps taken, this one included.
      scalars: the step's scalars on the devices, possibly still being computed.
    """
    self.finish_step()
    self._running = step, scalars
    self._bar.update()

  def finish_step(self) -> None:
    """Waits for the running step, and records its scalars if they are due.

    Called before an evaluation or a save, so that its time does not count as
    the step's.
    """
    if self._running is None:
      return
    step, scalars = self._running
    self._running = None
    jax.block_until_ready(scalars)
    self._steps += 1
    if step % self._every == 0 or step == self._total:
      self._writers.write(step, as_numbers(scalars) | self._rates())
      self.restart_clock()
    elif step == self._first:
      # The first step includes compilation, which would distort the rates.
      self.restart_clock()

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


def as_numbers(scalars: dict[str, jax.Array]) -> dict[str, float | None]:
  """Returns the scalars as Python numbers; None instead of NaN.

  A mean over no rows is NaN, which JSON does not have.
  """
  numbers = {name: float(x) for name, x in to_host(scalars).items()}
  return {k: None if math.isnan(x) else x for k, x in numbers.items()}
