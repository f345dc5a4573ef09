"""Supervises the work of one process of a pod, and watches the others.

Nothing here imports jax, so that C++ code can neither hang nor end it.
"""

import contextlib
import json
import os
import signal
import socket
import time
import types
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any

from owdfa_jax.pods.failures import RESTART, Failure, Kind
from owdfa_jax.pods.hub import Hub
from owdfa_jax.pods.link import Link
from owdfa_jax.pods.member import Member
from owdfa_jax.pods.native_log import NativeLog, write_to_stderr

# Seconds between two checks whether the work has ended.
_TICK = 0.2
# Seconds that failed work may take to print the reason and to end.
_PRINT_SECONDS = 10.0
# Work that failed in these ways prints the reason itself.
_PRINTED = (Kind.USAGE, Kind.ERROR, Kind.EXCEPTION)


def _signal_name(number: int) -> str:
  """Returns what a signal is called."""
  try:
    return signal.Signals(number).name
  except ValueError:  # one of those for real time, which have no names
    return f'signal {number}'


class Supervisor:
  """Ends the work if another process fails, and reports how it ended."""

  def __init__(
    self,
    child: int,
    messages: socket.socket,
    native: int,
    listener: socket.socket,
    timeout: float,
  ):
    """Takes over the ends of a child's connections.

    Args:
      child: the process that does the work, the first of its group.
      messages: the child's messages, and the way back.
      native: the file from which to read what C++ code writes to stderr.
      listener: where other supervisors connect, if this is process 0.
      timeout: seconds without a sign of life after which a process counts as
        lost.
    """
    messages.setblocking(False)
    self._child, self._messages, self._begun = child, messages, b''
    self._log = NativeLog(native)
    self._listener, self._timeout = listener, timeout
    # None until the work has found the other processes.
    self._link: Link | None = None
    self._process, self._count = 0, 0
    # The exit status that the work announced, and the one that it ended with; a
    # signal gives a negative one.
    self._announced: int | None = None
    self._ended: int | None = None
    self._own: Failure | None = None
    self._signals = 0

  def run(self) -> int:
    """Waits for the end of the work, and returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
      signal.signal(number, self._forward)
    try:
      while True:
        self._wait(self._link.sources() if self._link else [])
        complete = self._ended is not None and self._ended == self._announced
        verdict = self._link.step() if self._link else None
        if complete and (verdict or self._link is None or self._link.complete):
          return self._ended or 0
        if self._link is None and self._ended is not None:
          verdict = self._own
        if verdict is not None:
          return self._end(verdict)
    finally:
      if self._link is not None:
        self._link.close()

  def _forward(self, number: int, frame: types.FrameType | None) -> None:
    """Passes a signal on: the first as a request to save and stop."""
    self._signals += 1
    if self._signals == 1:
      # Ctrl-C too: JAX's agreement to stop reacts to SIGTERM only.
      self._send(signal.SIGTERM, os.kill)
    elif number == signal.SIGINT and self._ended is None:
      self._kill()
    elif number == signal.SIGINT:
      # Process 0 waits for the others, who need it.
      self._report(Failure(self._process, Kind.KILLED, signal.SIGINT.name))

  def _kill(self) -> None:
    """Ends the work, with all processes that it started."""
    self._send(signal.SIGKILL, os.kill)
    # Python's resource tracker ignores this signal, and removes what the others
    # leave in /dev/shm.
    self._send(signal.SIGTERM, os.killpg)

  def _send(self, number: int, kill: Callable[[int, int], None]) -> None:
    """Sends a signal to the work; does nothing if it has ended.

    Args:
      number: of the signal.
      kill: `os.kill`, or `os.killpg` for the work's group.
    """
    # The child's number may be that of another process by then. A child that
    # has just begun leads no group yet.
    if self._ended is None:
      with contextlib.suppress(ProcessLookupError):
        kill(self._child, number)

  def _wait(self, others: Sequence[Any]) -> None:
    """Waits for a message or an end, and acts on it.

    Args:
      others: what else ends the wait, and is not acted on.
    """
    if self._ended is not None:
      wait(others, _TICK)
      return
    wait([*self._log.sources(), self._messages, *others], _TICK)
    # Before the rest is read: it has all arrived if the work ended.
    how = os.WEXITED | os.WNOHANG | os.WNOWAIT
    end = os.waitid(os.P_PID, self._child, how)
    self._log.relay()
    self._read_messages()
    if end is not None:
      if (end.si_code, end.si_status) != (os.CLD_EXITED, self._announced):
        self._kill()  # what it has started
      _, state = os.waitpid(self._child, 0)
      self._ended = os.waitstatus_to_exitcode(state)
      self._report_end(self._ended)

  def _read_messages(self) -> None:
    """Acts on the messages of the work."""
    try:
      self._begun += self._messages.recv(1 << 16)
    except OSError:
      return  # nothing has arrived
    *lines, self._begun = self._begun.split(b'\n')
    for message in map(json.loads, lines):
      if 'joined' in message:
        self._join(*message['joined'])
      if 'failed' in message:
        kind, text = message['failed']
        self._report(Failure(self._process, Kind(kind), text))
        if self._link is None:
          self._release()
      if 'ends' in message:
        self._announced = message['ends']

  def _join(
    self, process: int, count: int, host: str, port: int, token: str
  ) -> None:
    self._process, self._count = process, count
    if process == 0:
      self._link = Hub(self._listener, token, count, self._timeout)
      return
    self._listener.close()
    try:
      self._link = Member(process, (host, port), token, self._timeout)
    except OSError as error:
      why = f'{host}:{port} cannot be reached: {error.strerror or error}'
      self._own = Failure(0, Kind.LOST, why)
      self._kill()

  def _report(self, failure: Failure) -> None:
    self._own = failure
    if self._link is not None:
      self._link.report(failure)

  def _release(self) -> None:
    """Lets work that waits with its error print it."""
    try:
      self._messages.send(b'.')
    except OSError:
      pass  # it has ended

  def _report_end(self, ended: int) -> None:
    """Reports to the other processes how the work ended."""
    if ended == self._announced:
      if self._link is not None:
        self._link.done()
    elif self._own is None:
      how = f'exit status {ended}'
      if ended < 0:
        how = _signal_name(-ended)
      kind = Kind.KILLED
      if self._log.held and ended == -signal.SIGABRT:
        kind, how = Kind.CONSEQUENCE, "ended by JAX's coordination service"
      self._report(Failure(self._process, kind, how))

  def _end(self, verdict: Failure) -> int:
    """Ends the work, prints the reason, and returns the exit status.

    Args:
      verdict: why the pod has to end.
    """
    if self._own and self._own.kind in _PRINTED:
      self._let_it_print()
      # A status below 1: it did not end by itself.
      return max(1, self._ended or 1)
    if verdict.process == self._process and self._ended is None:
      self._let_it_print()
      return RESTART
    if self._ended is None:
      self._kill()
      self._ended = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
    if self._link is None and self._signals and self._ended == -signal.SIGTERM:
      return 128 + signal.SIGTERM  # asked to stop before it had begun
    if verdict.process == self._process:
      self._log.show_held()
    # Killed work leaves its progress bar without a line break.
    begin = '\n' if self._process == 0 else ''
    write_to_stderr(f'{begin}{verdict.line(self._count)}\n'.encode())
    return verdict.status

  def _let_it_print(self) -> None:
    """Waits until failed work has printed the reason and ended."""
    self._release()
    until = time.monotonic() + _PRINT_SECONDS
    while self._ended is None and time.monotonic() < until:
      self._wait([])
    self._kill()
