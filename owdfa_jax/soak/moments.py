"""The moments at which a soak kills a process."""

import os
import random
import re
import subprocess
import time
from typing import NamedTuple

# Numbers and random parts of names. The rest is the kind of the file.
_VARIES = re.compile(r'[0-9a-f]{12,}|\d+')
# Seconds between two looks at a folder.
_POLL = 0.001
# Half of the kills at an event come up to this many seconds later.
_LATER = 0.03
# Most kills come at events: saves and renames are short, so that a random time
# would seldom hit one.
_AT_EVENT = 0.6
# A process may take longer than the one that was not killed.
_STRETCH = 1.1


class Watch:
  """Finds the files and folders that appear below a folder."""

  def __init__(self, folder: str):
    """Records the names that are there already.

    Args:
      folder: it need not exist.
    """
    self._folder = folder
    self._seen = self._names()

  def appeared(self) -> list[str]:
    """Returns the kinds of the names that appeared since the last call."""
    names = self._names()
    new, self._seen = sorted(names - self._seen), names
    return [_VARIES.sub('#', name) for name in new]

  def _names(self) -> set[str]:
    found, folders = set(), [self._folder]
    while folders:
      try:
        with os.scandir(folders.pop()) as entries:
          for entry in entries:
            found.add(os.path.relpath(entry.path, self._folder))
            if entry.is_dir(follow_symlinks=False):
              folders.append(entry.path)
      except OSError:
        pass  # removed in the meantime
    return found


class Life(NamedTuple):
  """The course of a process that was not killed.

  Attributes:
    seconds: how long it took.
    events: how often names of each kind appeared.
    compiled: whether it compiled programs that are kept.
  """

  seconds: float
  events: dict[str, int]
  compiled: bool = False


class Moment(NamedTuple):
  """When to kill a process.

  Attributes:
    seconds: the time after its start, or after the event if there is one.
    event: the kind of name that has to appear first; '' for none.
    count: how often it has to appear.
  """

  seconds: float
  event: str = ''
  count: int = 0

  def describe(self) -> str:
    """Returns the moment in words; `loop.KEY` explains them."""
    if not self.event:
      return f'{self.seconds:.2f} s after its start'
    later = f'{1000 * self.seconds:.0f} ms after'
    return f'{later} file {self.count} named {self.event}'


def draw_moment(life: Life, draws: random.Random) -> Moment:
  """Returns a random moment in the life of a process.

  Args:
    life: that of a process which was not killed.
    draws: the random numbers.
  """
  if life.events and draws.random() < _AT_EVENT:
    # Each kind of event is as likely as any other one.
    event = draws.choice(sorted(life.events))
    count = draws.randint(1, life.events[event])
    later = draws.choice([0.0, draws.uniform(0, _LATER)])
    return Moment(later, event, count)
  return Moment(draws.uniform(0, _STRETCH * life.seconds))


def wait_for(
  moment: Moment, watch: Watch, process: subprocess.Popen[bytes]
) -> bool:
  """Waits for a moment; returns False if the process ended before.

  Args:
    moment: when.
    watch: finds what the process makes.
    process: has just started.
  """
  until = None if moment.event else time.monotonic() + moment.seconds
  seen = 0
  while process.poll() is None:
    if until is None:
      seen += watch.appeared().count(moment.event)
      if seen >= moment.count:
        until = time.monotonic() + moment.seconds
        continue
      time.sleep(_POLL)
    elif (left := until - time.monotonic()) > 0:
      time.sleep(min(left, 0.05))
    else:
      return True
  return False
