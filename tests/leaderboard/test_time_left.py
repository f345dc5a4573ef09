"""How long the runs of a leaderboard still take."""

import dataclasses
import types

import pytest

from helpers.boards import make_config, pretend_finished, run_leaderboard
from owdfa_jax.leaderboard import compare
from owdfa_jax.leaderboard.rows import Row
from owdfa_jax.leaderboard.time_left import TimeLeft


@dataclasses.dataclass(frozen=True)
class Run:
  """What the estimate reads of a run."""

  row: Row
  epochs: int
  folder: str


CPL, ORCA, SPECTRUM = (Row(name, name) for name in ('cpl', 'orca', 'spectrum'))


def runs(*kinds):
  return [Run(row, epochs, f'{n}') for n, (row, epochs) in enumerate(kinds)]


def test_an_epoch_of_another_row_takes_as_long():
  first, *others = runs((CPL, 10), (CPL, 10), (ORCA, 5), (SPECTRUM, 0))
  left = TimeLeft([first, *others])
  assert left.seconds() is None and left.text() == ''
  left.add(first, 100.0)
  assert left.seconds() == pytest.approx(100 + 50)
  assert left.text() == ', 02:30 left'


def test_a_row_takes_as_long_as_it_did():
  spectrum, cpl, *others = runs(
    (SPECTRUM, 0), (CPL, 10), (SPECTRUM, 0), (ORCA, 5), (ORCA, 5)
  )
  left = TimeLeft([spectrum, cpl, *others])
  left.add(spectrum, 8.0)
  # Nothing is known of networks.
  assert left.text() == ''
  left.add(cpl, 100.0)
  assert left.seconds() == pytest.approx(8 + 50 + 50)
  left.add(others[1], 200.0)
  assert left.seconds() == pytest.approx(8 + 200)
  left.add(others[2], 100.0)
  left.add(others[0], 6.0)
  assert left.text() == ', 00:00 left'


def test_a_run_that_another_process_finished_takes_no_time():
  first, second, third = runs((CPL, 1), (CPL, 1), (CPL, 1))
  left = TimeLeft([first, second])
  left.add(first, 3.0)
  for run in (second, second, third):
    left.skip(run)
  assert left.seconds() == 0


def test_a_leaderboard_says_how_long_it_takes(
  packed, tmp_path, monkeypatch, capsys
):
  def train(run):
    pretend_finished(run.last)
    return 0

  def write(folder, *_):
    (folder / 'leaderboard.md').write_text('')

  now = iter([1000.0, 1090.0, 2000.0, 2100.0, 3000.0, 3090.0, 4000.0, 4100.0])
  clock = types.SimpleNamespace(monotonic=lambda: next(now))
  monkeypatch.setattr(compare, 'time', clock)
  monkeypatch.setattr(compare, 'train_and_evaluate', train)
  monkeypatch.setattr(compare, 'write_leaderboard', write)
  monkeypatch.setattr(compare, 'build_experiment', lambda part: None)
  monkeypatch.setattr(compare, 'say', print)
  config = make_config(packed, seeds=(3, 4))
  assert run_leaderboard(config, tmp_path) == 0
  lines = capsys.readouterr().out.splitlines()
  assert [line for line in lines if line.startswith('== ')] == [
    '== lower bound, seed 3 (1 of 4)',
    '== CPL, seed 3 (2 of 4), 04:30 left',
    '== lower bound, seed 4 (3 of 4), 03:10 left',
    '== CPL, seed 4 (4 of 4), 01:40 left',
  ]
