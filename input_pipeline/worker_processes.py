"""Starts worker processes safely, and ends them with their parent."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_held_back() -> Iterator[None]:
  """Holds back Ctrl-C while worker processes start.

  Ctrl-C reaches all processes of the group, but only the parent handles it. The
  workers inherit the blocked signal, so it cannot interrupt them before they
  are set up. The mask holds for this thread only; another thread could still
  receive the signal, and Python would raise KeyboardInterrupt here in the
  middle of a start. So the handler is replaced too, and the interrupt is raised
  at the end.
  """
  came: list[int] = []
  in_main = threading.current_thread() is threading.main_thread()
  handler = signal.getsignal(signal.SIGINT)
  if in_main:
    signal.signal(signal.SIGINT, lambda *_: came.append(1))
  before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if in_main:
      signal.signal(signal.SIGINT, handler)
  if came:
    raise KeyboardInterrupt


def end_with_parent() -> None:
  """Makes this worker end when the parent is gone, even if it was killed."""
  threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
  parent = multiprocessing.parent_process()
  if parent is not None:
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
