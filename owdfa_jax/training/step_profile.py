"""A trace of some training steps, for TensorBoard and Perfetto."""

import contextlib
import types
from collections.abc import Callable, Iterator

import jax
from etils import epath

from owdfa_jax.training.progress import say

PROFILE_FOLDER = 'profile'
# The first step compiles, and the queue of batches fills during the next ones.
_STEPS_BEFORE = 3


class StepProfile:
  """Traces consecutive steps of a run, on the first process of a pod.

  As a context manager, it ends a trace that is still running.
  """

  def __init__(
    self,
    workdir: epath.Path,
    num_steps: int,
    start: int,
    finish_step: Callable[[], None],
  ) -> None:
    """Starts no trace yet.

    Args:
      workdir: the run's folder; the trace goes into its folder `profile`.
      num_steps: steps to trace; 0 for none.
      start: steps taken before. The trace begins after three more.
      finish_step: waits until the running step is complete.
    """
    self._folder = workdir / PROFILE_FOLDER
    self._first = start + 1 + _STEPS_BEFORE
    self._last = self._first + num_steps - 1
    self._wanted = num_steps > 0 and jax.process_index() == 0
    self._finish_step = finish_step
    self._runs = False

  def __enter__(self) -> 'StepProfile':
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: types.TracebackType | None,
  ) -> None:
    self._stop()

  @contextlib.contextmanager
  def step(self, number: int) -> Iterator[None]:
    """Traces a step if it is one of those to trace.

    Args:
      number: steps taken, this one included.
    """
    if not self._wanted or not self._first <= number <= self._last:
      yield
      return
    if not self._runs:
      self._finish_step()
      # `plugins/profile` in it is what TensorBoard's profiler reads.
      jax.profiler.start_trace(str(self._folder), create_perfetto_trace=True)
      self._runs = True
    with jax.profiler.StepTraceAnnotation('train', step_num=number):
      yield
    if number == self._last:
      # The step runs on the devices still.
      self._finish_step()
      self._stop()

  def _stop(self) -> None:
    if self._runs:
      self._runs = False
      jax.profiler.stop_trace()
      say(f'written: a trace of steps {self._first} on in {self._folder}')
