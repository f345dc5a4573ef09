"""What a run says of itself: a progress bar, one line an epoch, the metrics."""

import math
import time
import types
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from owdfa_jax.parallel import to_host
from owdfa_jax.training.writers import Writers


def say(line: str) -> None:
  """Prints a line above the progress bar, on the main process of a pod."""
  if jax.process_index() == 0:
    tqdm.write(line)


class Progress:
  """Times the steps and hands their scalars to the writers.

  The host stays one step ahead of the device, no more: it waits for the step
  before the one it has just started. So the device always has work, batches
  do not pile up, and the times are those of the device.
  """

  def __init__(
    self,
    writers: Writers,
    start: int,
    total: int,
    config: ConfigDict,
  ):
    """Begins counting.

    Args:
      writers: get the scalars.
      start: steps taken before.
      total: steps at the end of the run.
      config: of the run; says how often scalars are recorded.
    """
    self._writers = writers
    self._images = 0  # of a step, in all processes
    self._every = config.log.every_steps
    self._total = total
    self._previous: dict[str, jax.Array] = {}
    self._late: tuple[int, dict[str, Any]] | None = None
    self._bar = tqdm(
      total=total,
      initial=start,
      unit='step',
      disable=jax.process_index() != 0,
      dynamic_ncols=True,
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
      self.flush()
    self._bar.close()

  def restart_clock(self) -> None:
    """Leaves what came between (an evaluation, a save) out of the rates."""
    jax.block_until_ready(self._previous)
    self._since = time.perf_counter()
    self._steps = 0
    self._waited = 0.0

  def next_batch(
    self, batches: Iterator[dict[str, np.ndarray]]
  ) -> dict[str, np.ndarray]:
    """Returns the next batch and counts how long the step waits for it."""
    began = time.perf_counter()
    batch = next(batches)
    self._waited += time.perf_counter() - began
    self._images = len(batch['index']) * jax.process_count()
    return batch

  def step(self, done: int, scalars: dict[str, jax.Array]) -> None:
    """Counts a step; records its scalars when their turn has come.

    Args:
      done: steps taken, this one included.
      scalars: of this step, on the device; may still be being computed.
    """
    compiled = bool(self._previous)
    jax.block_until_ready(self._previous)
    self._previous = scalars
    self._bar.update()
    self._steps += 1
    if done % self._every and done != self._total:
      if not compiled:
        # The first step compiles, which is no part of the rate.
        self.restart_clock()
      return
    self.flush()
    seconds = (time.perf_counter() - self._since) / self._steps
    self._late = (
      done,
      {
        **scalars,
        'time/step_seconds': seconds,
        'time/input_wait_seconds': self._waited / self._steps,
        'time/steps_per_second': 1 / seconds,
        'time/images_per_second': self._images / seconds,
      },
    )
    self.restart_clock()

  def evaluation(self, done: int, scalars: dict[str, float | None]) -> None:
    """Records the metrics of an evaluation after step `done`."""
    self.flush()
    self._writers.write(
      done, {f'eval/{name}': value for name, value in scalars.items()}
    )

  def flush(self) -> None:
    """Writes what is held back; waits for the device if it must."""
    if self._late is None:
      return
    step, scalars = self._late
    self._late = None
    numbers = {name: float(x) for name, x in to_host(scalars).items()}
    # JSON has no NaN: the mean of nothing is not available.
    self._writers.write(
      step, {k: None if math.isnan(x) else x for k, x in numbers.items()}
    )
