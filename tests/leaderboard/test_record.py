"""The folder of a leaderboard is enough to go on with it."""

import json

import pytest

from helpers.boards import (
  make_config,
  make_runs,
  pretend_finished,
  run_leaderboard,
)
from helpers.subprocesses import run_main
from input_pipeline.errors import UserError
from owdfa_jax.leaderboard import runs
from owdfa_jax.leaderboard.record import read_board_record, recorded_command


@pytest.fixture
def finished(packed, tmp_path, monkeypatch):
  """The folder of a finished leaderboard, begun from another directory."""
  monkeypatch.chdir(packed.parent)
  config = make_config(packed.name)
  for run in runs.make_runs(config, str(tmp_path / 'board')):
    pretend_finished(run.last)
  assert run_leaderboard(config, tmp_path / 'board', 'the command') == 0
  monkeypatch.chdir(tmp_path)
  return tmp_path / 'board'


def test_the_config_is_that_of_the_leaderboard(packed, finished):
  found, wanted = read_board_record(str(finished)), make_config(packed)
  for name in ('benchmark', 'seeds', 'rows', 'selection', 'metric'):
    assert found[name] == wanted[name]
  assert sorted(found.shared) == sorted(wanted.shared)
  assert recorded_command(str(finished)) == 'the command'
  # Another directory, and the runs are finished ones all the same.
  again = runs.make_runs(found, str(finished))
  assert [run.last.config for run in again] == [
    run.last.config for run in make_runs(packed, finished)
  ]


def test_mistakes(finished, tmp_path):
  module = 'owdfa_jax.leaderboard.__main__'
  ended = run_main(module, ['--workdir=nowhere'], tmp_path)
  assert ended.status == 1 and not ended.slow
  assert ended.err.startswith('error: no leaderboard: --workdir=nowhere has no')
  path = finished / 'leaderboard.json'
  content = json.loads(path.read_text())
  for damaged in ('{', '[]', json.dumps(content | {'benchmark': 3})):
    path.write_text(damaged)
    with pytest.raises(UserError, match='leaderboard.json|unknown value'):
      read_board_record(str(finished))
