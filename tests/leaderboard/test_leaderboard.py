"""What counts as finished, and what a command trains and writes."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import jax
import pytest

from helpers.boards import TWO_ROWS, cells, make_config, make_runs, pretend
from helpers.paths import ROOT
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.leaderboard import compare, picture, results, rows
from owdfa_jax.leaderboard.compare import compare as run_all
from owdfa_jax.training.loop import train
from owdfa_jax.training.progress import Progress
from owdfa_jax.training.workdir import claim_workdir


def test_staged_row_is_all_its_stages(packed, tmp_path, monkeypatch):
  row = {
    'name': 'CPL in stages',
    'config': 'staged:cpl',
    'overrides': (
      'stages.pretrain_epochs=2',
      'stages.rounds=1',
      'stages.round_epochs=3',
    ),
  }
  config = make_config(packed, rows=(row,))
  (run,) = rows.make_runs(config, str(tmp_path))
  folder = tmp_path / 'cpl-in-stages-3'
  assert [experiment.workdir.name for experiment in run.experiments] == [
    '1-supervised', '2-cpl', '3-round1',
  ]  # fmt: skip
  assert run.epochs == 2 + 1 + 3 and run.experiment.config.epochs == 3
  trained = []

  def train_stages(config, workdir):
    trained.append(workdir)
    for experiment in run.experiments:
      pretend_stage = dataclasses.replace(run, experiments=(experiment,))
      pretend(pretend_stage)
    return 0

  monkeypatch.setattr(compare, 'train_stages', train_stages)
  for _ in range(2):
    assert run_all(config, str(tmp_path), '') == 0
  assert trained == [str(folder)]
  table = (tmp_path / 'leaderboard.md').read_text()
  assert cells(table)['CPL in stages']['All ACC'] == '50.0'
  assert '6 epochs' in table
  # Other settings of an earlier stage are other settings.
  longer = ('stages.pretrain_epochs=9', *row['overrides'][1:])
  changed = row | {'overrides': longer}
  with pytest.raises(UserError, match='another config.*epochs=2 .now 9'):
    run_all(make_config(packed, rows=(changed,)), str(tmp_path), '')


@pytest.mark.parametrize(
  'changes, finished',
  [
    ({}, True),
    ({'novel_acc': None}, True),
    ({'split': 'train'}, False),
    ({'checkpoint': 'best'}, False),
    # Written before the last epochs.
    ({'last': {'checkpoint_step': 1}}, False),
    ({'last': None}, False),
  ],
)
def test_only_a_complete_report_counts(packed, tmp_path, changes, finished):
  run = make_runs(packed, tmp_path)[0]
  assert results.finished_report(run) is None
  pretend(run, **changes)
  assert (results.finished_report(run) is not None) == finished


def test_refused_start_can_be_corrected(packed, tmp_path):
  shared = (*make_config(packed).shared, 'model.init=typo.npz')
  run = make_runs(packed, tmp_path, shared=shared)[0]
  with pytest.raises(UserError, match='no such weights'):
    train(run.experiment)
  assert results.finished_report(make_runs(packed, tmp_path)[0]) is None


def test_damaged_report_is_not_finished(packed, tmp_path):
  run = make_runs(packed, tmp_path)[0]
  pretend(run)
  report = run.experiment.workdir / 'report.json'
  report.write_text(report.read_text()[:99])
  assert results.finished_report(run) is None


@pytest.mark.parametrize(
  'setting, named',
  [
    ('optimizer.learning_rate=0.5', 'learning_rate=0.001 .now 0.5'),
    ('epochs=2', 'epochs=1 .now 2'),
    ('eval.metric=all_acc', 'eval.metric=all_nmi'),
  ],
)
def test_runs_of_other_settings_are_not_mixed_in(
  packed, tmp_path, setting, named
):
  config = make_config(packed)
  pretend(make_runs(packed, tmp_path)[1])
  changed = make_config(packed, shared=(*config.shared, setting))
  with pytest.raises(UserError, match=f'another config.*{named}'):
    run_all(changed, str(tmp_path), '')
  free = make_config(packed, shared=(*config.shared, 'log.every_steps=1'))
  runs = rows.make_runs(free, str(tmp_path))
  assert results.finished_report(runs[1])['new_acc'] == 0.5


def test_run_without_its_settings(packed, tmp_path):
  run = make_runs(packed, tmp_path)[0]
  pretend(run)
  (run.experiment.workdir / 'config.json').unlink()
  with pytest.raises(UserError, match='lower-bound-3 has no config.json'):
    results.finished_report(run)


def test_workdir_of_a_single_run(packed, tmp_path):
  claim_workdir(make_runs(packed, tmp_path)[0].experiment)
  with pytest.raises(UserError, match='holds a single run'):
    run_all(make_config(packed), str(tmp_path / 'lower-bound-3'), '')


def test_file_where_the_workdir_should_be(packed, tmp_path):
  (tmp_path / 'board').write_text('in the way')
  with pytest.raises(UserError, match='could not be written.*board'):
    run_all(make_config(packed), str(tmp_path / 'board'), '')


def test_result_that_comes_in_while_the_table_is_written(
  packed, tmp_path, monkeypatch
):
  """Another process has finished a run, and written its table before ours."""
  runs = make_runs(packed, tmp_path)
  pretend(runs[0])
  draw = picture.png

  def draw_late(entries, title):
    if not (tmp_path / 'cpl-3' / 'report.json').exists():
      pretend(runs[1])
    return draw(entries, title)

  monkeypatch.setattr(picture, 'png', draw_late)
  compare.write(tmp_path, runs, 'folder64', 'command')
  lines = cells((tmp_path / 'leaderboard.md').read_text())
  assert lines['lower bound']['seeds'] == lines['CPL']['seeds'] == '1'
  assert not list(tmp_path.glob('.*partial'))


def test_how_it_was_made_stands_below(packed, tmp_path):
  runs = make_runs(packed, tmp_path)
  pretend(runs[0])
  (tmp_path / 'lower-bound-3' / 'machine.json').write_text(
    '{"machine": "jax 9, 2 x abacus"}'
  )
  compare.write(tmp_path, runs, 'folder64', 'the command')
  text = (tmp_path / 'leaderboard.md').read_text()
  for words in (
    'folder64: 2 known and 2 novel classes',
    '; 1 epochs; checkpoint: the last, none is selected; judged on the test',
    'Trained with jax 9, 2 x abacus.',
    '`the command`',
  ):
    assert words in text
  pretend(runs[1])
  compare.write(tmp_path, runs, 'folder64', 'the command')
  assert 'not on record' in (tmp_path / 'leaderboard.md').read_text()


@pytest.mark.usefixtures('quick_compile')
def test_interrupted_resumed_and_repeated(packed, tmp_path, monkeypatch):
  """On one device, with the two rows that compile soonest."""
  one_device = parallel.place(jax.devices()[:1])
  monkeypatch.setattr(parallel, 'place', lambda: one_device)
  upper = {'name': 'upper bound', 'config': 'upper_bound'}
  config = make_config(packed, rows=(TWO_ROWS[0], upper))
  step = Progress.step

  def step_then_signal(self, done, scalars):
    step(self, done, scalars)
    os.kill(os.getpid(), signal.SIGTERM)

  with monkeypatch.context() as patch:
    patch.setattr(Progress, 'step', step_then_signal)
    assert run_all(config, str(tmp_path), 'x') == 128 + signal.SIGTERM
  first = tmp_path / 'lower-bound-3'
  assert not (first / 'report.json').exists()
  assert not (tmp_path / 'upper-bound-3').exists()
  lines = cells((tmp_path / 'leaderboard.md').read_text())
  assert [line['seeds'] for line in lines.values()] == ['0 of 1'] * 2

  assert run_all(config, str(tmp_path), 'x') == 0
  reports = {
    name: json.loads((tmp_path / folder / 'report.json').read_text())
    for name, folder in (
      ('lower bound', first),
      ('upper bound', 'upper-bound-3'),
    )
  }
  written = {
    path.name: path.read_bytes() for path in tmp_path.glob('leaderboard*')
  }
  assert len(written) == 4
  lines = cells(written['leaderboard.md'].decode())
  for name, report in reports.items():
    assert lines[name]['All NMI'] == f'{100 * report["all_nmi"]:.1f}'
  assert 'jax' in (first / 'machine.json').read_text()

  monkeypatch.delattr(compare, 'train')
  assert run_all(config, str(tmp_path), 'x') == 0
  for name, content in written.items():
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(
  'command, named',
  [
    (
      ['-m', 'owdfa_jax.leaderboard', '--config=configs/cpl.py'],
      "has no 'rows'; give --config=configs/leaderboard.py",
    ),
    (
      [
        '-m',
        'owdfa_jax.leaderboard',
        '--config=configs/leaderboard.py:folder64',
        '--config.seeds=0',
        '--config.shared=data.path=nowhere',
        '--config.shared=model.width=0.5',
        "--config.rows=({'name': 'CPL', 'config': 'cpl'},)",
      ],
      'nowhere',
    ),
  ],
)
def test_command_line(tmp_path, command, named):
  result = subprocess.run(
    [sys.executable, *command, f'--workdir={tmp_path}/board'],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert result.returncode == 1
  (line,) = result.stderr.splitlines()
  assert line.startswith('error: ') and named in line
  assert not (tmp_path / 'board').exists()
