"""The connection of another process of a pod to process 0."""

import socket
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from owdfa_jax.pods.channel import Channel, close_all
from owdfa_jax.pods.failures import Failure, Kind, read_failure
from owdfa_jax.pods.link import Link


class Member(Link):
  """The link of any process other than 0, to process 0."""

  def __init__(
    self, process: int, address: tuple[str, int], token: str, timeout: float
  ):
    """Connects to process 0.

    Args:
      process: the number of this process.
      address: host and port of process 0.
      token: what process 0 expects as the first message.
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
      self._channel.close()
    else:
      close_all([self._channel])
