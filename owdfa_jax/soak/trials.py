"""Runs a command, kills it several times, and lets it finish."""

import contextlib
import os
import random
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, NamedTuple

from input_pipeline.errors import UserError
from owdfa_jax.soak.moments import Life, Watch, draw_moment, wait_for

# What the commands print goes into this file.
LOG = 'log.txt'
# The probability that a killed command is killed again, and the most kills.
_KILL_AGAIN = 0.75
_MOST_KILLS = 6
# A 'full disk': files of the process cannot grow beyond this many bytes.
_FULL_DISK, _FULL_BYTES = 'full disk', 4096
# The ways to kill. 'SIGKILL' goes to the process alone, as when the system runs
# out of memory. Its worker processes then have to end by themselves.
WAYS = ('SIGKILL', 'SIGKILL all', 'SIGTERM')
if hasattr(resource, 'prlimit'):  # Linux
  WAYS += (_FULL_DISK,)
# The statuses with which a command may end. It may have been complete before.
_SIGKILL_STATUSES = (0, -signal.SIGKILL)
_STATUSES = {
  'SIGKILL': _SIGKILL_STATUSES,
  'SIGKILL all': _SIGKILL_STATUSES,
  'SIGTERM': (0, -signal.SIGTERM, 128 + signal.SIGTERM),
  _FULL_DISK: (0, 1),
}
# A command of a soak takes seconds.
_HANGS_SECONDS = 1800
_POLL_SECONDS = 0.001
_LAST_WORDS_SECONDS = 10


class Kill(NamedTuple):
  """One kill.

  Attributes:
    way: 'SIGKILL' or 'SIGTERM' for the process alone, 'SIGKILL all' for its
      whole group, or 'full disk'.
    moment: when, in words.
    at_event: whether it came at an event.
  """

  way: str
  moment: str
  at_event: bool


class Trial:
  """A command in a folder of its own."""

  def __init__(
    self, command: Sequence[str], folder: str, environment: Mapping[str, str]
  ):
    """Makes the folder.

    Args:
      command: the command line.
      folder: where the command starts; must not exist.
      environment: the variables of the command's environment.
    """
    os.makedirs(folder)
    self.folder = folder
    self._command, self._environment = command, environment
    self._log = os.path.join(folder, LOG)
    open(self._log, 'x').close()

  def run(self) -> Life:
    """Runs the command to its end and returns what it did.

    Raises:
      UserError: the command failed.
    """
    watch, events = Watch(self.folder), {}
    programs = Watch(self._environment['OWDFA_CACHE'])
    began = time.monotonic()
    with self._started() as process:
      while process.poll() is None:
        for event in watch.appeared():
          events[event] = events.get(event, 0) + 1
        time.sleep(_POLL_SECONDS)
    self._check(process.returncode, (0,))
    seconds = time.monotonic() - began
    return Life(seconds, events, bool(programs.appeared()))

  def run_with_kills(self, life: Life, draws: random.Random) -> list[Kill]:
    """Runs the command to its end, killing it on the way.

    Args:
      life: what the command does if it is not killed.
      draws: the random numbers.

    Returns:
      The kills, at least one.

    Raises:
      UserError: the command failed.
    """
    kills: list[Kill] = []
    while True:
      last = len(kills) == _MOST_KILLS or (
        kills and draws.random() >= _KILL_AGAIN
      )
      moment, way = draw_moment(life, draws), draws.choice(WAYS)
      printed = os.path.getsize(self._log)
      watch = Watch(self.folder)
      with self._started() as process:
        if last or not wait_for(moment, watch, process):
          self._wait(process)
          self._check(process.returncode, (0,))
          if kills:
            return kills
          continue
        _kill(process, way)
        self._wait(process)
      self._check(process.returncode, _STATUSES[way])
      if process.returncode == 1:
        self._check_message(printed)
      kills.append(Kill(way, moment.describe(), bool(moment.event)))

  def _wait(self, process: subprocess.Popen[bytes]) -> None:
    try:
      process.wait(_HANGS_SECONDS)
    except subprocess.TimeoutExpired as error:
      raise UserError(
        f'a command hangs: it has run for {_HANGS_SECONDS} s; see {self._log}'
      ) from error

  def _check(self, status: int, allowed: Sequence[int]) -> None:
    """Raises `UserError` unless a command ended as it should."""
    if status not in allowed:
      with open(self._log, encoding='utf-8', errors='replace') as file:
        last = file.read().splitlines()[-1:]
      raise UserError(
        f'a command failed: exit status {status} ({" ".join(last)}); see '
        f'{self._log}'
      )

  def _check_message(self, begin: int) -> None:
    """Raises `UserError` unless a full disk was reported in one line.

    Args:
      begin: where in the log the last start begins.
    """
    with open(self._log, encoding='utf-8', errors='replace') as file:
      file.seek(begin)
      text = file.read()
    if 'Traceback' in text or not text.splitlines()[-1].startswith('error: '):
      raise UserError(
        f'a full disk is not reported in one line: see {self._log}'
      )

  @contextlib.contextmanager
  def _started(self) -> Iterator[subprocess.Popen[bytes]]:
    """Starts the command; it is killed if the block raises."""
    process = subprocess.Popen(
      self._command,
      cwd=self.folder,
      env=self._environment,
      stdin=subprocess.DEVNULL,
      # Through a pipe, so that a limit for files does not hit the log.
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      start_new_session=True,
    )
    copying = threading.Thread(target=self._copy, args=[process.stdout])
    copying.start()
    try:
      yield process
    except BaseException:
      _kill(process, 'SIGKILL all')
      process.wait()
      raise
    finally:
      # Workers whose process was killed may still print.
      copying.join(_LAST_WORDS_SECONDS)

  def _copy(self, printed: IO[bytes]) -> None:
    """Copies what the command prints to the log."""
    with printed, open(self._log, 'ab', buffering=0) as log:
      while text := os.read(printed.fileno(), 1 << 16):
        log.write(text)


def _kill(process: subprocess.Popen[bytes], way: str) -> None:
  with contextlib.suppress(ProcessLookupError):
    if way == 'SIGKILL all':
      os.killpg(process.pid, signal.SIGKILL)
    elif way == _FULL_DISK:
      limits = (_FULL_BYTES, resource.RLIM_INFINITY)
      resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
    else:
      process.send_signal(signal.Signals[way])
