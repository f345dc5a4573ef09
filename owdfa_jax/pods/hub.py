"""The connections of process 0 of a pod to all other processes."""

import socket
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

from typing_extensions import override

from owdfa_jax.pods.channel import Channel, close_all
from owdfa_jax.pods.failures import Failure, Kind, read_failure, root_cause
from owdfa_jax.pods.link import Link

# Seconds that process 0 waits for a cause after it received a consequence.
_CAUSE_SECONDS = 5.0
# Seconds that process 0 waits, at its end, for missing connections.
_LATE_SECONDS = 5.0


class Hub(Link):
  """The link of process 0, to which all others connect."""

  def __init__(
    self, listener: socket.socket, token: str, count: int, timeout: float
  ):
    """Waits for the other processes.

    Args:
      listener: a socket that listens.
      token: what each process sends first; other connections are closed.
      count: the number of processes of the pod.
      timeout: as for `Link`.
    """
    super().__init__(timeout)
    listener.setblocking(False)
    self._listener, self._token = listener, token
    self._unidentified: list[Channel] = []
    self._members: dict[int, Channel] = {}
    self._missing = set(range(1, count))
    self._began = time.monotonic()
    self._failures: list[Failure] = []
    self._decide_at = 0.0
    self._verdict: Failure | None = None

  @override
  def sources(self) -> Sequence[Any]:
    return [self._listener, *self._unidentified, *self._members.values()]

  @override
  def report(self, failure: Failure) -> None:
    if not self._failures:
      self._decide_at = time.monotonic() + _CAUSE_SECONDS
    self._failures.append(failure)

  @override
  def done(self) -> None:
    self._send_to_all({'done': True})

  @override
  def step(self) -> Failure | None:
    self._accept()
    for process in list(self._members):
      self._listen(process)
    if self._missing and self._is_over(self._began):
      process = min(self._missing)
      self.report(Failure(process, Kind.LOST, 'it did not connect'))
    if self._beat_is_due():
      self._send_to_all({})
    if self._verdict is None and self._failures:
      cause = root_cause(self._failures)
      if (
        cause.kind is not Kind.CONSEQUENCE
        or time.monotonic() >= self._decide_at
      ):
        self._verdict = cause
        self._send_to_all({'verdict': cause.message()})
    return self._verdict

  @property
  @override
  def complete(self) -> bool:
    return not self._members and not self._missing

  @override
  def close(self) -> None:
    # Processes that connect late must also receive the reason.
    until = time.monotonic() + _LATE_SECONDS
    while self._verdict and self._missing:
      left = until - time.monotonic()
      if left <= 0:
        break
      # Members say nothing that counts any more.
      strangers: list[Any] = [self._listener, *self._unidentified]
      wait(strangers, left)
      self._accept()
    self._listener.close()
    for channel in self._unidentified:
      channel.close()
    close_all(self._members.values())

  def _send_to_all(self, message: dict[str, Any]) -> None:
    for channel in self._members.values():
      channel.send(message)

  def _accept(self) -> None:
    """Accepts connections, and finds out which processes they come from."""
    try:
      connection, _ = self._listener.accept()
      self._unidentified.append(Channel(connection))
    except OSError:
      pass  # no connection is waiting
    for channel in list(self._unidentified):
      messages = channel.receive()
      if not messages and not self._lost(channel):
        continue
      self._unidentified.remove(channel)
      if messages and messages[0].get('token') == self._token:
        process = int(messages[0]['process'])
        self._missing.discard(process)
        self._members[process] = channel
        if self._verdict:
          channel.send({'verdict': self._verdict.message()})
        self._handle(process, messages[1:])
      else:
        channel.close()

  def _listen(self, process: int) -> None:
    channel = self._members[process]
    self._handle(process, channel.receive())
    if process not in self._members:
      return
    if why := self._lost(channel):
      self.report(Failure(process, Kind.LOST, why))
      del self._members[process]
      channel.close()

  def _handle(self, process: int, messages: Sequence[dict[str, Any]]) -> None:
    for message in messages:
      if 'failure' in message:
        self.report(read_failure(message['failure']))
      if 'done' in message:
        self._members.pop(process).close()
