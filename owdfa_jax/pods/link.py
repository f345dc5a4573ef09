"""The link between the supervisors of a pod."""

import abc
import time
from collections.abc import Sequence
from typing import Any

from owdfa_jax.pods.channel import Channel
from owdfa_jax.pods.failures import Failure

# The number of signs of life that are sent within the timeout.
_BEATS = 6


class Link(abc.ABC):
  """Connects a supervisor to those of the other processes."""

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
    """Reports to the pod that this process failed."""

  @abc.abstractmethod
  def done(self) -> None:
    """Reports to the pod that this process is complete."""

  @abc.abstractmethod
  def step(self) -> Failure | None:
    """Reads messages; returns why the pod has to end, or None to go on.

    Must be called every second or so.
    """

  @property
  @abc.abstractmethod
  def complete(self) -> bool:
    """Whether a process that is done may end: no other process needs it."""

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
