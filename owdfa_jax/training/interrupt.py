"""SIGTERM (and Ctrl-C) as a question asked between steps."""

import os
import signal
import types
from collections.abc import Callable


class Interrupt:
  """Within the context, the first signal only sets a flag; a second kills.

  Schedulers give a job some seconds between SIGTERM and SIGKILL: enough to
  finish the step under way and save.
  """

  def __init__(self, reached_preemption: Callable[[int], bool] | None = None):
    """Prepares; nothing happens before the context is entered.

    Args:
      reached_preemption: of a pod, where all processes must stop after the
        same step: answers that for a step, on every process alike. It listens
        to SIGTERM itself. None for a single process.
    """
    self._reached = reached_preemption
    # On a pod the signal is seen by jax alone; schedulers send SIGTERM.
    self._number = int(signal.SIGTERM)
    self._received = False
    self._previous: dict[int, object] = {}

  def __enter__(self) -> 'Interrupt':
    if self._reached is None:
      for number in (signal.SIGTERM, signal.SIGINT):
        self._previous[number] = signal.signal(number, self._receive)
    return self

  def __exit__(self, *exception: object) -> None:
    self._restore()

  def requested(self, step: int) -> bool:
    """Whether the run must save and leave after `step`."""
    return self._received if self._reached is None else self._reached(step)

  @property
  def exit_status(self) -> int:
    """The exit status by which a shell knows which signal it was."""
    return 128 + self._number

  def _receive(self, number: int, frame: types.FrameType | None) -> None:
    self._number, self._received = number, True
    # Not `print`: the signal may have come in the middle of one.
    os.write(2, b'\nstopping after this step; once more to stop at once\n')
    self._restore()

  def _restore(self) -> None:
    while self._previous:
      number, handler = self._previous.popitem()
      signal.signal(number, handler)  # pyrefly: ignore[bad-argument-type]
