"""The connections between the supervisors of a pod: a star around process 0."""

import abc
import socket
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

from typing_extensions import override

from owdfa_jax.pods.channel import Channel
from owdfa_jax.pods.failures import Failure, Kind, read_failure, root_cause

# How long process 0 waits for the cause when it knows only of consequences.
# The cause may be reported a little later.
_CAUSE_SECONDS = 5.0
# How long process 0 waits, at its end, for those that have not connected yet.
_LATE_SECONDS = 5.0
# A sign of life is sent so many times within the timeout.
_BEATS = 6


class Link(abc.ABC):
  """What a supervisor knows of the other processes."""

  def __init__(self, timeout: float):
    """Starts the clock.

    Args:
      timeout: seconds without a sign of life after which a process counts as
        lost.
    """
    self._timeout = timeout
    self._beat_at = 0.0

  @abc.abstractmethod
  def sources(self) -> Sequence[Any]:
    """Returns what to wait for, for `multiprocessing.connection.wait`."""

  @abc.abstractmethod
  def report(self, failure: Failure) -> None:
    """Tells the pod that this process failed."""

  @abc.abstractmethod
  def done(self) -> None:
    """Tells the pod that this process is complete."""

  @abc.abstractmethod
  def step(self) -> Failure | None:
    """Reads what arrived; returns why the pod has to end, None if it need not.

    Must be called every second or so.
    """

  @property
  @abc.abstractmethod
  def complete(self) -> bool:
    """Whether nobody needs this process any more, once it is done."""

  @abc.abstractmethod
  def close(self) -> None:
    """Closes the connections."""

  def _beat_is_due(self) -> bool:
    """Returns whether to send a sign of life now."""
    now = time.monotonic()
    due = now >= self._beat_at
    if due:
      self._beat_at = now + self._timeout / _BEATS
    return due

  def _is_over(self, since: float) -> bool:
    """Returns whether the timeout is over."""
    return time.monotonic() > since + self._timeout

  def _lost(self, channel: Channel) -> str:
    """Returns why a process counts as lost, '' if it does not."""
    if channel.closed:
      return 'its connection closed'
    if self._is_over(channel.heard):
      return f'no sign of life for {self._timeout:g} s'
    return ''


class Hub(Link):
  """The link of process 0, to which all others connect."""

  def __init__(
    self, listener: socket.socket, token: str, count: int, timeout: float
  ):
    """Waits for the other processes.

    Args:
      listener: a socket that listens.
      token: what each process says first; others are turned away.
      count: the number of processes of the pod.
      timeout: as for `Link`.
    """
    super().__init__(timeout)
    listener.setblocking(False)
    self._listener, self._token = listener, token
    self._strangers: list[Channel] = []
    self._members: dict[int, Channel] = {}
    self._missing = set(range(1, count))
    self._began = time.monotonic()
    self._failures: list[Failure] = []
    self._decide_at = 0.0
    self._verdict: Failure | None = None

  @override
  def sources(self) -> Sequence[Any]:
    return [self._listener, *self._strangers, *self._members.values()]

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
    self._welcome()
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
    # Those that are still on their way should learn why the pod ended.
    until = time.monotonic() + _LATE_SECONDS
    while self._verdict and self._missing and time.monotonic() < until:
      wait(self.sources(), until - time.monotonic())
      self._welcome()
    self._listener.close()
    for channel in [*self._strangers, *self._members.values()]:
      channel.close()

  def _send_to_all(self, message: dict[str, Any]) -> None:
    for channel in self._members.values():
      channel.send(message)

  def _welcome(self) -> None:
    """Accepts connections, and finds out which processes they come from."""
    try:
      connection, _ = self._listener.accept()
      self._strangers.append(Channel(connection))
    except OSError:
      pass  # nobody is waiting
    for channel in list(self._strangers):
      messages = channel.receive()
      if not messages and not channel.closed:
        continue
      self._strangers.remove(channel)
      if messages and messages[0].get('token') == self._token:
        process = int(messages[0]['process'])
        self._missing.discard(process)
        self._members[process] = channel
        if self._verdict:
          channel.send({'verdict': self._verdict.message()})
        self._obey(process, messages[1:])
      else:
        channel.close()

  def _listen(self, process: int) -> None:
    channel = self._members[process]
    self._obey(process, channel.receive())
    if process not in self._members:
      return
    if why := self._lost(channel):
      self.report(Failure(process, Kind.LOST, why))
      del self._members[process]
      channel.close(0)

  def _obey(self, process: int, messages: Sequence[dict[str, Any]]) -> None:
    for message in messages:
      if 'failure' in message:
        self.report(read_failure(message['failure']))
      if 'done' in message:
        self._members.pop(process).close()


class Member(Link):
  """The link of the other processes, to process 0."""

  def __init__(
    self, process: int, address: tuple[str, int], token: str, timeout: float
  ):
    """Connects to process 0.

    Args:
      process: the number of this process.
      address: host and port of process 0.
      token: what process 0 expects to hear first.
      timeout: as for `Link`.

    Raises:
      OSError: process 0 cannot be reached.
    """
    super().__init__(timeout)
    self._channel = Channel(socket.create_connection(address, timeout))
    self._channel.send({'token': token, 'process': process})
    self._first_is_done = self._first_is_lost = False
    self._verdict: Failure | None = None

  @override
  def sources(self) -> Sequence[Any]:
    # A closed connection would end every wait at once.
    return [] if self._channel.closed else [self._channel]

  @override
  def report(self, failure: Failure) -> None:
    self._channel.send({'failure': failure.message()})

  @override
  def done(self) -> None:
    self._channel.send({'done': True})

  @override
  def step(self) -> Failure | None:
    channel = self._channel
    for message in channel.receive():
      if 'verdict' in message:
        self._verdict = read_failure(message['verdict'])
      self._first_is_done |= 'done' in message
    if self._beat_is_due():
      channel.send({})
    if self._verdict is None and not self._first_is_done:
      if why := self._lost(channel):
        self._first_is_lost = True
        self._verdict = Failure(0, Kind.LOST, why)
    return self._verdict

  @property
  @override
  def complete(self) -> bool:
    return True

  @override
  def close(self) -> None:
    if self._first_is_lost:
      self._channel.close(0)
    else:
      self._channel.close()
