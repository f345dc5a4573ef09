"""A connection that carries JSON objects, one per line."""

import contextlib
import json
import socket
import time
from typing import Any

# Seconds that a closing side waits for the other side to read everything.
_CLOSE_SECONDS = 5.0


class Channel:
  """A socket that never blocks.

  Attributes:
    closed: whether the other side has closed the connection.
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
    try:
      return [json.loads(line) for line in lines]
    except ValueError:
      self.closed = True  # it is not of the pod
      return []

  def close(self, seconds: float = _CLOSE_SECONDS) -> None:
    """Closes the connection once the other side has read what was sent.

    Args:
      seconds: how long to wait for that.
    """
    # Unread bytes would reset the connection, and the sent ones would be lost.
    with contextlib.suppress(OSError):
      self._socket.shutdown(socket.SHUT_WR)
      self._socket.settimeout(seconds)
      until = time.monotonic() + seconds
      while self._socket.recv(1 << 16) and time.monotonic() < until:
        pass
    self._socket.close()
