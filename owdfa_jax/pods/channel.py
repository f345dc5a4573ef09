"""A connection that carries JSON objects, one per line."""

import contextlib
import json
import socket
import time
from collections.abc import Iterable
from multiprocessing.connection import wait
from typing import Any

# Seconds that a closing side waits for the other side to read everything.
_CLOSE_SECONDS = 5.0
# Bytes of a line; those of the pod have a tenth of it.
_LONGEST_LINE = 1 << 18


class Channel:
  """A socket that never blocks.

  Attributes:
    closed: whether one of the sides has closed the connection.
    heard: the time of the last sign of life, by `time.monotonic`.
  """

  def __init__(self, connection: socket.socket):
    """Takes over a connection.

    Args:
      connection: to the other side.
    """
    connection.setblocking(False)
    self._socket = connection
    self._begun = b''
    self.closed = False
    self.heard = time.monotonic()

  def fileno(self) -> int:
    """Returns the number of the file, for `multiprocessing.connection.wait`."""
    return self._socket.fileno()

  def send(self, message: dict[str, Any]) -> None:
    """Sends a JSON object; `receive` finds out if the other side is gone."""
    # The buffer is full only if the other side reads nothing. That side soon
    # counts as lost.
    with contextlib.suppress(OSError):
      self._socket.send(json.dumps(message).encode() + b'\n')

  def receive(self) -> list[dict[str, Any]]:
    """Returns the objects that have arrived."""
    try:
      chunk = self._socket.recv(1 << 16)
    except BlockingIOError:
      return []
    except OSError:
      chunk = b''
    if not chunk:
      self.closed = True
      return []
    self.heard = time.monotonic()
    *lines, self._begun = (self._begun + chunk).split(b'\n')
    messages = [_read(line) for line in lines]
    if None in messages or len(self._begun) > _LONGEST_LINE:
      self.closed = True  # it is not of the pod
      return []
    return [message for message in messages if message is not None]

  def end(self) -> None:
    """Says that nothing more will be sent."""
    with contextlib.suppress(OSError):
      self._socket.shutdown(socket.SHUT_WR)

  def close(self) -> None:
    """Closes the connection at once.

    What was sent may be lost if something has arrived that was not received.
    """
    self.closed = True
    self._socket.close()


def close_all(channels: Iterable[Channel]) -> None:
  """Closes connections once the other sides have read what was sent.

  Waits for all of them together, for some seconds at most.

  Args:
    channels: the connections.
  """
  channels = [*channels]
  for channel in channels:
    channel.end()
  # The other side closes once it has read all. Unread bytes would reset the
  # connection, and the sent ones would be lost.
  until = time.monotonic() + _CLOSE_SECONDS
  while left := max(0.0, until - time.monotonic()):
    waiting: list[Any] = [x for x in channels if not x.closed]
    if not waiting:
      break
    wait(waiting, left)
    for channel in waiting:
      channel.receive()
  for channel in channels:
    channel.close()


def _read(line: bytes) -> dict[str, Any] | None:
  """Returns the JSON object of a line, or None if it is none."""
  try:
    message = json.loads(line)
  except (ValueError, RecursionError):
    return None
  return message if isinstance(message, dict) else None
