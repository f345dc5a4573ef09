"""Stops a run between two steps after SIGTERM or Ctrl-C."""

import os
import signal
import types
from collections.abc import Callable


class Interrupt:
  """Turns the first signal into a flag that the training loop reads.

  Schedulers leave a job some seconds between SIGTERM and SIGKILL: enough to
  finish the current step and save. A second signal ends the process at once,
  as if it were killed: an exception would have to unwind through JAX, whose
  threads then hang or crash, and whose callbacks may swallow it.

  As a context manager, it replaces the signal handlers and restores them.
  """

  def __init__(self, reached_preemption: Callable[[int], bool] | None = None):
    """Changes nothing until the context is entered.

    Args:
      reached_preemption: for the processes of a pod, returns whether to stop
        after a given step, the same in all of them. It handles SIGTERM by
        itself, so no handlers are replaced. None for a single process.
    """
    self._reached_preemption = reached_preemption
    # Pods do not report which signal came; schedulers send SIGTERM.
    self._number = int(signal.SIGTERM)
    self._received = False
    self._previous: dict[int, object] = {}

  def __enter__(self) -> 'Interrupt':
    if self._reached_preemption is None:
      for number in (signal.SIGTERM, signal.SIGINT):
        self._previous[number] = signal.signal(number, self._receive)
    return self

  def __exit__(self, *exception: object) -> None:
    self._restore()

  def requested(self, step: int) -> bool:
    """Returns whether the run must save and exit after `step`.

    On a pod, all processes must call this after every step.
    """
    if self._reached_preemption is None:
      return self._received
    return self._reached_preemption(step)

  @property
  def exit_status(self) -> int:
    """The exit status that tells a shell which signal stopped the run."""
    return 128 + self._number

  def _receive(self, number: int, frame: types.FrameType | None) -> None:
    self._number, self._received = number, True
    # `print` is not safe here: the signal may have interrupted a `print`.
    os.write(2, b'\nstopping after this step; press Ctrl-C to stop at once\n')
    for other in self._previous:
      signal.signal(other, _end_at_once)

  def _restore(self) -> None:
    while self._previous:
      number, handler = self._previous.popitem()
      signal.signal(number, handler)  # pyrefly: ignore[bad-argument-type]


def _end_at_once(number: int, frame: types.FrameType | None) -> None:
  os.write(2, b'\ninterrupted\n')
  os._exit(128 + number)
