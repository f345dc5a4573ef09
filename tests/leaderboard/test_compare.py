"""What the leaderboard trains, writes, skips and resumes."""

import json
import signal
import subprocess
import sys

import pytest

from helpers.boards import (
  TWO_ROWS,
  make_config,
  make_runs,
  pretend_finished,
  read_cells,
  run_leaderboard,
)
from helpers.paths import ROOT
from helpers.runs import stop_after
from input_pipeline.errors import UserError
from owdfa_jax.leaderboard import compare, picture
from owdfa_jax.training.workdir import claim_workdir

STAGED = {
  'name': 'CPL in stages',
  'config': 'staged:cpl',
  'overrides': (
    'stages.pretrain_epochs=2',
    'stages.rounds=1',
    'stages.round_epochs=3',
  ),
}


def test_staged_row_counts_all_its_stages(packed, tmp_path, monkeypatch):
  config = make_config(packed, rows=(STAGED,))
  (run,) = make_runs(packed, tmp_path, rows=(STAGED,))
  assert [part.workdir.name for part in run.parts] == [
    '1-supervised', '2-cpl', '3-round1',
  ]  # fmt: skip
  assert run.epochs == 2 + 1 + 3 and run.last.config.epochs == 3
  trained = []

  def train_stages(config, workdir):
    trained.append(workdir)
    for part in run.parts:
      pretend_finished(part)
    return 0

  monkeypatch.setattr(compare, 'train_stages', train_stages)
  for _ in range(2):
    assert run_leaderboard(config, tmp_path) == 0
  assert trained == [str(tmp_path / 'cpl-in-stages-3')]
  table = (tmp_path / 'leaderboard.md').read_text()
  assert read_cells(table)['CPL in stages']['All ACC'] == '50.0'
  assert '6 epochs' in table


def test_other_settings_of_an_earlier_stage_are_an_error(packed, tmp_path):
  (run,) = make_runs(packed, tmp_path, rows=(STAGED,))
  for part in run.parts:
    pretend_finished(part)
  longer = ('stages.pretrain_epochs=9', *STAGED['overrides'][1:])
  changed = make_config(packed, rows=(STAGED | {'overrides': longer},))
  with pytest.raises(UserError, match='another config.*epochs=2 .now 9'):
    run_leaderboard(changed, tmp_path)


def test_workdir_of_a_single_run_is_refused(packed, tmp_path):
  claim_workdir(make_runs(packed, tmp_path)[0].last)
  with pytest.raises(UserError, match='holds a single run'):
    run_leaderboard(make_config(packed), tmp_path / 'lower-bound-3')


def test_file_in_place_of_the_workdir_is_an_error(packed, tmp_path):
  (tmp_path / 'board').write_text('in the way')
  with pytest.raises(UserError, match='cannot write the leaderboard.*board'):
    run_leaderboard(make_config(packed), tmp_path / 'board')


def test_run_that_finishes_while_the_table_is_written_is_in_it(
  packed, tmp_path, monkeypatch
):
  """Another process has finished a run, and written its table before ours."""
  runs = make_runs(packed, tmp_path)
  pretend_finished(runs[0].last)
  draw = picture.draw_leaderboard

  def draw_slowly(entries, title):
    if not (tmp_path / 'cpl-3' / 'report.json').exists():
      pretend_finished(runs[1].last)
    return draw(entries, title)

  monkeypatch.setattr(picture, 'draw_leaderboard', draw_slowly)
  compare.write_leaderboard(tmp_path, runs, 'folder64', 'command')
  cells = read_cells((tmp_path / 'leaderboard.md').read_text())
  assert cells['lower bound']['seeds'] == cells['CPL']['seeds'] == '1'
  assert not list(tmp_path.glob('.*partial'))


def test_notes_say_how_the_table_was_made(packed, tmp_path):
  runs = make_runs(packed, tmp_path)
  pretend_finished(runs[0].last)
  (tmp_path / 'lower-bound-3' / 'machine.json').write_text(
    '{"machine": "jax 9, 2 x abacus"}'
  )
  compare.write_leaderboard(tmp_path, runs, 'folder64', 'the command')
  text = (tmp_path / 'leaderboard.md').read_text()
  for words in (
    'folder64: 2 known and 2 novel classes',
    '; 1 epoch; checkpoint: the last epoch, none is selected; evaluated on',
    'Trained with jax 9, 2 x abacus.',
    '`the command`',
  ):
    assert words in text
  pretend_finished(runs[1].last)
  compare.write_leaderboard(tmp_path, runs, 'folder64', 'the command')
  assert 'not recorded' in (tmp_path / 'leaderboard.md').read_text()


def test_rows_of_other_commands_are_in_the_table_once_a_run_is_finished(
  packed, tmp_path
):
  runs = make_runs(packed, tmp_path)

  def written():
    compare.write_leaderboard(tmp_path, runs, 'folder64', 'x', {'CPL'})
    assert 'lower bound' in (tmp_path / 'leaderboard.csv').read_text()
    return (tmp_path / 'leaderboard.md').read_text()

  note = 'none of their runs is finished so far: lower bound.'
  text = written()
  assert [*read_cells(text)] == ['CPL'] and note in text
  pretend_finished(runs[0].last)
  text = written()
  assert [*read_cells(text)] == ['lower bound', 'CPL'] and note not in text


def test_notes_of_a_heap_say_what_the_numbers_do_not_cover(unsorted, tmp_path):
  config = make_config(unsorted)
  shared = (*config.shared, 'data.num_classes=5')
  runs = make_runs(unsorted, tmp_path, shared=shared, selection='test')
  pretend_finished(
    runs[1].last,
    num_examples=32,
    num_without_truth=20,
    heap={'novel_share': 0.1, 'warnings': ['only 2 of 20 images']},
  )
  compare.write_leaderboard(tmp_path, runs, 'folder64', 'the command')
  text = (tmp_path / 'leaderboard.md').read_text()
  for words in (
    'checkpoint: best, selected by Known ACC on test images and the score of',
    '- 20 of 32 images have no true class. Known ACC covers the images whose',
    '- Warning (CPL, seed 3): only 2 of 20 images.',
  ):
    assert words in text


@pytest.mark.usefixtures('quick_compile')
def test_interrupted_leaderboard_resumes_and_then_trains_nothing(
  packed, tmp_path, monkeypatch
):
  # Two rows of one program, the one that compiles soonest. Other tests have it
  # too: their learning rate falls in steps.
  again = {'name': 'bound again', 'overrides': ('log.every_steps=2',)}
  config = make_config(packed, rows=(TWO_ROWS[0], TWO_ROWS[0] | again))
  by_steps = (*config.shared, 'optimizer.schedule=step')
  config = make_config(packed, rows=config.rows, shared=by_steps)

  with monkeypatch.context() as patch:
    stop_after(patch, 1)
    assert run_leaderboard(config, tmp_path) == 128 + signal.SIGTERM
  folders = {
    'lower bound': tmp_path / 'lower-bound-3',
    'bound again': tmp_path / 'bound-again-3',
  }
  assert not (folders['lower bound'] / 'report.json').exists()
  assert not folders['bound again'].exists()
  cells = read_cells((tmp_path / 'leaderboard.md').read_text())
  assert [row['seeds'] for row in cells.values()] == ['0 of 1'] * 2

  assert run_leaderboard(config, tmp_path) == 0
  written = {
    path.name: path.read_bytes() for path in tmp_path.glob('leaderboard*')
  }
  assert len(written) == 5
  cells = read_cells(written['leaderboard.md'].decode())
  for name, folder in folders.items():
    report = json.loads((folder / 'report.json').read_text())
    assert cells[name]['All NMI'] == f'{100 * report["all_nmi"]:.1f}'
    assert 'jax' in (folder / 'machine.json').read_text()

  monkeypatch.delattr(compare, 'train_with_evaluation')
  assert run_leaderboard(config, tmp_path) == 0
  for name, content in written.items():
    assert (tmp_path / name).read_bytes() == content


def test_error_of_a_run_names_its_row_and_its_seed(
  packed, tmp_path, monkeypatch
):
  def diverge(experiment):
    raise UserError(f'the training diverged: step 2 of {experiment.workdir}')

  monkeypatch.setattr(compare, 'train_with_evaluation', diverge)
  message = r'^lower bound, seed 3 \(1 of 2\): the training .*lower-bound-3'
  with pytest.raises(UserError, match=message):
    run_leaderboard(make_config(packed), tmp_path)


@pytest.mark.parametrize(
  'arguments, status, message',
  [
    (
      ['--config=configs/cpl.py'],
      2,
      "has no 'rows'; give --config=leaderboard:BENCHMARK",
    ),
    (
      [
        '--config=configs/leaderboard.py:folder64',
        '--config.seeds=0',
        '--config.shared=data.path=nowhere',
        '--config.shared=model.width=0.5',
        "--config.rows=({'name': 'CPL', 'config': 'cpl'},)",
      ],
      1,
      'nowhere',
    ),
  ],
)
def test_command_line_reports_mistakes_in_one_line(
  tmp_path, arguments, status, message
):
  command = [sys.executable, '-m', 'owdfa_jax.leaderboard', *arguments]
  result = subprocess.run(
    [*command, f'--workdir={tmp_path}/board'],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert result.returncode == status
  (line,) = result.stderr.splitlines()
  assert line.startswith('error: ') and message in line
  assert not (tmp_path / 'board').exists()
