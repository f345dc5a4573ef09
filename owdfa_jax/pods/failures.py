"""The failures of processes of a pod, and the messages about them."""

import enum
import os
from typing import Any, NamedTuple

from input_pipeline.errors import MISUSED

# The exit status of a process that ended because the pod has to be started
# again: 75, a temporary failure in the list of sysexits.h.
RESTART = os.EX_TEMPFAIL
# Longer texts are shortened, so that a message fits into a socket's buffer.
_TEXT_LENGTH = 2000


class Kind(enum.StrEnum):
  """How a process failed, in the order of how much it says about the cause.

  Attributes:
    LOST: its connection closed, or it gave no sign of life for too long.
    KILLED: its work ended by a signal.
    USAGE: it reported a command line that cannot be understood.
    ERROR: it reported a mistake that the user can correct.
    EXCEPTION: its work raised another exception.
    CONSEQUENCE: its work lost the connection to another process.
  """

  LOST = 'lost'
  KILLED = 'killed'
  USAGE = 'usage'
  ERROR = 'error'
  EXCEPTION = 'exception'
  CONSEQUENCE = 'consequence'


class Failure(NamedTuple):
  """The failure of one process of a pod.

  Attributes:
    process: the number of the process, from 0.
    kind: how it failed.
    text: the reason, in one line.
  """

  process: int
  kind: Kind
  text: str

  @property
  def status(self) -> int:
    """The exit status of the other processes."""
    # A restart does not help before the user has corrected the mistake.
    return {Kind.USAGE: MISUSED, Kind.ERROR: 1}.get(self.kind, RESTART)

  def line(self, count: int) -> str:
    """Returns the line that the other processes print.

    Args:
      count: the number of processes of the pod; 0 if this process has not
        found the others.
    """
    where = f'process {self.process} of {count}' if count else 'this process'
    if self.kind in (Kind.USAGE, Kind.ERROR):
      return f'error: {self.text} ({where} of the pod)'
    what = {
      Kind.LOST: 'a process of the pod is lost',
      Kind.KILLED: 'a process of the pod was killed',
      Kind.EXCEPTION: 'a process of the pod failed',
      Kind.CONSEQUENCE: 'the connection between the processes broke',
    }[self.kind]
    if not count and self.kind is Kind.CONSEQUENCE:
      what = 'the processes of the pod did not find each other'
    return (
      f'error: {what}: {where} ({self.text}); start all processes again, and '
      'the run goes on from its last checkpoint'
    )

  def message(self) -> dict[str, Any]:
    """Returns the failure as a JSON object."""
    return self._asdict() | {'text': self.text[:_TEXT_LENGTH]}


def read_failure(message: dict[str, Any]) -> Failure:
  """Returns the failure that `Failure.message` made into a JSON object."""
  return Failure(
    int(message['process']), Kind(message['kind']), str(message['text'])
  )


def root_cause(failures: list[Failure]) -> Failure:
  """Returns the failure that explains the others best.

  Args:
    failures: at least one, in the order in which they were reported.
  """
  kinds = list(Kind)
  return min(failures, key=lambda failure: kinds.index(failure.kind))
