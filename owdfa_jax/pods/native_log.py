"""Relays what C++ code writes to stderr."""

import contextlib
import os
import re
from typing import Any

# JAX's service logs these words, and then aborts, when a process is lost.
_LOST_A_PROCESS = re.compile(
  rb'coordination_service|preemption_sync_manager|JAX distributed service'
)


class NativeLog:
  """Relays what C++ code writes to stderr, except JAX's last messages.

  JAX logs pages before it aborts because another process is lost. This class
  holds them back, since the supervisor reports the same in one line.

  Attributes:
    held: what was held back.
  """

  def __init__(self, file: int):
    """Takes over the end of a pipe.

    Args:
      file: from which to read.
    """
    os.set_blocking(file, False)
    self._file, self._open = file, True
    self._begun = b''
    self.held = b''

  def sources(self) -> list[Any]:
    """Returns what to wait for, for `multiprocessing.connection.wait`."""
    return [self._file] if self._open else []

  def relay(self) -> None:
    """Reads what has arrived; writes it to stderr unless it is held back."""
    while self._open:
      try:
        chunk = os.read(self._file, 1 << 16)
      except BlockingIOError:
        return
      self._open = bool(chunk)
      *lines, self._begun = (self._begun + chunk).split(b'\n')
      for line in lines:
        self._pass_on(line + b'\n')
    self._pass_on(self._begun)
    self._begun = b''

  def show_held(self) -> None:
    """Writes what was held back."""
    write_to_stderr(self.held)
    self.held = b''

  def _pass_on(self, line: bytes) -> None:
    if self.held or _LOST_A_PROCESS.search(line):
      self.held += line
    elif line:
      write_to_stderr(line)


def write_to_stderr(text: bytes) -> None:
  """Writes to stderr; ignores errors, such as a closed pipe."""
  with contextlib.suppress(OSError):
    os.write(2, text)
