"""The folder of a leaderboard is enough to go on with it."""

import json
import shutil

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
from owdfa_jax.leaderboard.record import (
  keep_shared,
  read_board_record,
  recorded_command,
)


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


def test_settings_that_are_not_given_anew_stay(finished):
  before = read_board_record(str(finished)).shared
  config = read_board_record(str(finished))
  with config.unlocked():
    # As `--config.shared=epochs=2 --config.shared=model.depth=1` sets it.
    config.shared = ('epochs=2', 'model.depth=1')
  keep_shared(config, str(finished))
  kept = [setting for setting in before if setting != 'epochs=1']
  assert len(kept) == len(before) - 1
  assert config.shared == (*kept, 'epochs=2', 'model.depth=1')


def test_data_that_was_moved_leaves_the_other_settings(
  packed, finished, tmp_path
):
  moved = tmp_path / 'moved'
  shutil.copytree(packed, moved)
  ended = run_main(
    'owdfa_jax.leaderboard.__main__',
    [f'--workdir={finished}', f'--config.shared=data.path={moved}'],
    tmp_path,
  )
  # With the default number of epochs, the runs would be trained again.
  assert ended.status == 0 and 'runs to train: 0; finished: 2' in ended.out
  shared = read_board_record(str(finished)).shared
  assert 'epochs=1' in shared and f'data.path={moved}' in shared


def test_runs_of_other_processes_are_counted(packed, finished, capsys):
  config = make_config(packed, only_rows='CPL')
  assert run_leaderboard(config, finished) == 0
  words = 'runs to train: 0; finished: 1; left out by --config.only_rows and'
  assert f'{words} only_seeds: 1\n' in capsys.readouterr().out


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
