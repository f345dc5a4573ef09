"""Stops a run between two steps after SIGTERM or Ctrl-C."""

import contextlib
import os
import signal
import threading
import types
from collections.abc import Callable

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
# What the pipe of signals ends with; no signal has the number 0.
_NO_MORE = b'\0'


class Interrupt:
  """Turns the first signal into a flag that the training loop reads.

  Schedulers leave a job some seconds between SIGTERM and SIGKILL: enough to
  finish the current step and save. A second signal ends the process at once,
  as if it were killed: an exception would have to unwind through JAX, whose
  threads then hang or crash, and whose callbacks may swallow it.

  Python calls a signal's handler between two instructions of the main thread,
  so not while that compiles a step, which may take minutes. A thread therefore
  answers signals: it learns of each at once, from a pipe.

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
    self._pipe = -1  # the end that signals are written to
    self._previous_pipe = -1
    self._watcher = threading.Thread()

  def __enter__(self) -> 'Interrupt':
    if self._reached_preemption is None:
      self._watch_signals()
    return self

  def __exit__(self, *exception: object) -> None:
    if self._previous:
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

  def _watch_signals(self) -> None:
    read_end, self._pipe = os.pipe()
    os.set_blocking(self._pipe, False)
    self._previous_pipe = signal.set_wakeup_fd(self._pipe)
    self._watcher = threading.Thread(
      target=_answer_signals, args=(read_end,), daemon=True
    )
    self._watcher.start()
    for number in _NUMBERS:
      self._previous[number] = signal.signal(number, self._receive)

  def _receive(self, number: int, frame: types.FrameType | None) -> None:
    if self._received:
      # The watcher ends the process, unless another library took the pipe.
      self._watcher.join(timeout=1)
      _end_at_once(number)
    self._number, self._received = number, True

  def _restore(self) -> None:
    while self._previous:
      number, handler = self._previous.popitem()
      signal.signal(number, handler)  # pyrefly: ignore[bad-argument-type]
    signal.set_wakeup_fd(self._previous_pipe)
    # Closing the pipe would not end the watcher while a forked child has it.
    os.write(self._pipe, _NO_MORE)
    self._watcher.join()
    os.close(self._pipe)


def _answer_signals(read_end: int) -> None:
  """Answers the signals whose numbers arrive in a pipe, until `_NO_MORE`."""
  received = 0
  while (byte := os.read(read_end, 1)) != _NO_MORE:
    if byte[0] not in _NUMBERS:
      continue
    received += 1
    if received == 2:
      _end_at_once(byte[0])
    _tell(b'\nstopping after this step; press Ctrl-C to stop at once\n')
  os.close(read_end)


def _end_at_once(number: int) -> None:
  _tell(b'\ninterrupted\n')
  os._exit(128 + number)


def _tell(line: bytes) -> None:
  """Writes to stderr, if anyone still reads it."""
  # Ctrl-C also ends a `tee` that stderr is piped to.
  with contextlib.suppress(OSError):
    # Not `print`, which the main thread may be in the middle of.
    os.write(2, line)
