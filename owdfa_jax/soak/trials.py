"""Runs a command, kills it again and again, and lets it finish."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from input_pipeline.errors import UserError
from owdfa_jax.soak.moments import Life, Watch, draw_moment, wait_for

# What the commands print goes into this file.
LOG = 'log.txt'
# A command that was killed is killed again with this probability, and so often
# at most.
_KILL_AGAIN = 0.75
_MOST_KILLS = 6
# Twice as likely as the others: the process alone is killed, as by the system
# when memory runs out. Its worker processes have to end by themselves.
_SIGNALS = ('SIGKILL', 'SIGKILL', 'SIGKILL all', 'SIGTERM')
# How a command may end that was killed: before, by the signal, or, after
# SIGTERM, by itself.
_KILLED = (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM)
# A command of a soak takes seconds.
_HANGS_SECONDS = 1800
_POLL_SECONDS = 0.001


class Kill(NamedTuple):
  """One kill.

  Attributes:
    signal: its name; 'SIGKILL all' for the whole group of processes.
    moment: when, in words.
    at_event: whether it came at an event.
  """

  signal: str
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
      moment, how = draw_moment(life, draws), draws.choice(_SIGNALS)
      watch = Watch(self.folder)
      with self._started() as process:
        if last or not wait_for(moment, watch, process):
          self._wait(process)
          self._check(process.returncode, (0,))
          if kills:
            return kills
          continue
        _kill(process, how)
        self._wait(process)
      self._check(process.returncode, _KILLED)
      kills.append(Kill(how, moment.describe(), bool(moment.event)))

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

  @contextlib.contextmanager
  def _started(self) -> Iterator[subprocess.Popen[bytes]]:
    """Starts the command; it is killed if the block raises."""
    with open(self._log, 'ab') as log:
      process = subprocess.Popen(
        self._command,
        cwd=self.folder,
        env=self._environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
      )
    try:
      yield process
    except BaseException:
      _kill(process, 'SIGKILL all')
      process.wait()
      raise


def _kill(process: subprocess.Popen[bytes], how: str) -> None:
  with contextlib.suppress(ProcessLookupError):
    if how == 'SIGKILL all':
      os.killpg(process.pid, signal.SIGKILL)
    else:
      process.send_signal(signal.Signals[how])
