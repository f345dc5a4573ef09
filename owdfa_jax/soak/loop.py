"""The loop of a soak: run, kill, start again, compare."""

import os
import random
import shutil
import sys
from collections.abc import Sequence

from input_pipeline.text_tables import aligned
from owdfa_jax.soak import kinds
from owdfa_jax.soak.differences import first_difference
from owdfa_jax.soak.moments import Life
from owdfa_jax.soak.trials import WAYS, Kill, Trial

# What the lines and the table mean.
KEY = """\
kills: SIGKILL and SIGTERM go to the process, 'SIGKILL all' to its workers too;
'full disk' lets no file of the process grow from that moment on
moments: at random, or when a file or folder appears; # is a number in its name
"""


class Soak:
  """Runs commands in one folder, and compares what they make."""

  def __init__(self, workdir: str, seed: int):
    """Changes nothing yet.

    Args:
      workdir: an empty folder, absolute.
      seed: of all random numbers.
    """
    self._workdir, self._draws = workdir, random.Random(seed)
    self._environment = kinds.environment(workdir)
    self._data = os.path.join(workdir, 'data')
    # The course of a command of each kind without kills.
    self._lives: dict[str, Life] = {}
    self._kills: dict[str, list[list[Kill]]] = {}

  def run(self, chosen: Sequence[str], kills: int) -> int:
    """Kills and compares until there were enough kills.

    Args:
      chosen: names of `kinds.KINDS`; they take turns.
      kills: the least number of kills in all.

    Returns:
      0, or 1 if a result differed.

    Raises:
      UserError: a command failed.
    """
    print(KEY, flush=True)
    for number, arguments in enumerate(kinds.INPUTS, 1):
      self._trial(arguments, f'inputs-{number}').run()
    number = 0
    while sum(self._counts()) < kills:
      name = chosen[number % len(chosen)]
      number += 1
      if name not in self._lives and not self._measure(name):
        return 1
      trial = self._trial(kinds.KINDS[name], f'{name}-{number}')
      killed = trial.run_with_kills(self._lives[name], self._draws)
      self._kills.setdefault(name, []).append(killed)
      moments = ', '.join(f'{kill.way} {kill.moment}' for kill in killed)
      kills_of_run = '1 kill' if len(killed) == 1 else f'{len(killed)} kills'
      print(f'{name}: {kills_of_run}: {moments}', flush=True)
      if not self._is_same(trial, name):
        return 1
    print(f'\n{self.table()}\n\nno result differs')
    return 0

  def table(self) -> str:
    """Returns a row of numbers for each kind of command."""
    header = ('command', 'runs', 'kills', 'at random', 'at a file', *WAYS)
    runs_of = {**self._kills, 'all': sum(self._kills.values(), [])}
    rows = []
    for name, runs in runs_of.items():
      kills = [kill for run in runs for kill in run]
      at_event = sum(kill.at_event for kill in kills)
      ways = [sum(kill.way == way for kill in kills) for way in WAYS]
      numbers = len(runs), len(kills), len(kills) - at_event, at_event, *ways
      rows.append((name, *map(str, numbers)))
    return aligned(header, rows, 'l' + 'r' * (len(header) - 1))

  def _counts(self) -> list[int]:
    return [len(run) for runs in self._kills.values() for run in runs]

  def _trial(self, arguments: Sequence[str], name: str) -> Trial:
    return Trial(
      kinds.command(arguments, self._data),
      os.path.join(self._workdir, name),
      self._environment,
    )

  def _measure(self, name: str) -> bool:
    """Runs a kind of command without kills; returns whether it repeats."""
    life = self._trial(kinds.KINDS[name], name).run()
    same = True
    if life.compiled:
      # Later runs find the compiled programs, and take less time.
      again = self._trial(kinds.KINDS[name], f'{name}-again')
      life = again.run()
      same = self._is_same(again, name)
    self._lives[name] = life
    print(f'{name}: {life.seconds:.1f} s without kills', flush=True)
    return same

  def _is_same(self, trial: Trial, name: str) -> bool:
    """Compares a result with the one without kills, and removes it if equal."""
    reference = os.path.join(self._workdir, name)
    if difference := first_difference(trial.folder, reference):
      print(
        f'error: results differ: {trial.folder} and {reference} '
        f'({difference}); see {trial.folder}/log.txt',
        file=sys.stderr,
      )
      return False
    shutil.rmtree(trial.folder)
    return True
