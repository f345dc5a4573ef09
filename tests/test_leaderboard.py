"""Rows and seeds, what counts as finished, the tables and the picture."""

import csv
import dataclasses
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import types

import cv2
import jax
import numpy as np
import pytest

from configs import leaderboard
from input_pipeline import pipeline
from input_pipeline.errors import UserError
from owdfa_jax import parallel, stages
from owdfa_jax.experiment import make_method
from owdfa_jax.leaderboard import compare, picture, results, rows, table
from owdfa_jax.leaderboard.compare import compare as run_all
from owdfa_jax.leaderboard.table import Entry
from owdfa_jax.progress import Progress
from owdfa_jax.report import COLUMNS
from owdfa_jax.workdir import claim_workdir

ROOT = pathlib.Path(__file__).parents[1]
TWO_ROWS = (
  {'name': 'lower bound', 'config': 'lower_bound'},
  {'name': 'CPL', 'config': 'cpl'},
)


def make_config(packed, **changes):
  config = leaderboard.get_config('folder64')
  config.rows = TWO_ROWS
  config.seeds = (3,)
  config.shared = (
    f'data.path={packed}',
    'model.width=0.125',
    'batch_size=16',
    'epochs=1',
    'eval.batch_size=16',
    'log.tensorboard=False',
  )
  config.update(changes)
  return config.lock()


def make_runs(packed, workdir, **changes):
  return rows.make_runs(make_config(packed, **changes), str(workdir))


def pretend(run, value=0.5, **changes):
  """Leaves what a finished run would, with `value` for every metric."""
  config, folder = run.experiment.config, run.experiment.workdir
  claim_workdir(run.experiment)
  steps = pipeline.steps_per_epoch(run.experiment.dataset, config.batch_size)
  report = {
    **dict.fromkeys(COLUMNS, value),
    'checkpoint_step': 1,
    'checkpoint': config.eval.checkpoint,
    'selection': config.eval.selection,
    'split': config.eval.split,
    'last': {'checkpoint_step': steps * config.epochs},
  }
  (folder / 'report.json').write_text(json.dumps(report | changes))


def entry(name, values, bound='', seeds=(0, 1, 2), **columns):
  """A row whose seeds have `values` in every column but those of `columns`."""
  reports = {
    seed: {**dict.fromkeys(COLUMNS, value), 'machine': None}
    for seed, value in zip(seeds, values, strict=False)
  }
  for column, numbers in columns.items():
    for report, number in zip(reports.values(), numbers, strict=True):
      report[column] = number
  return Entry(name, bound, 11, seeds, reports)


BOARD = (
  entry('lower bound', (0.2, 0.2, 0.2), 'lower'),
  entry('CPL', (0.5, 0.7, 0.6)),
  entry('CAL', (0.4,), estimated_classes=[19]),
  entry('MPSL', ()),
  entry('upper bound', (0.9, 1.1, 1.0), 'upper'),
)


def cells(markdown):
  """The table's lines by the name of their row."""
  lines = [x for x in markdown.splitlines() if x.startswith('|')]
  split = [[x.strip() for x in line[1:-1].split('|')] for line in lines]
  header, _, *lines = split
  return {line[0]: dict(zip(header, line, strict=True)) for line in lines}


def test_markdown_has_means_deviations_and_the_gap():
  lines = cells(table.markdown(BOARD, ['made so']))
  assert lines['CPL']['All ACC'] == '60.0 ± 10.0'
  assert lines['CPL']['seeds'] == '3'
  assert lines['CPL']['gap closed'] == '50 %'
  assert lines['lower bound']['gap closed'] == ''
  assert [lines['CPL'][name] for name in COLUMNS.values()] == [
    '60.0 ± 10.0'
  ] * 8


def test_unfinished_rows_say_so_and_are_not_filled_in():
  lines = cells(table.markdown(BOARD, []))
  assert lines['CAL']['seeds'] == '1 of 3'
  assert lines['CAL']['New ACC'] == '40.0'
  assert lines['CAL']['gap closed'] == '25 %'
  assert lines['MPSL'] == {name: '' for name in lines['MPSL']} | {
    'row': 'MPSL',
    'seeds': '0 of 3',
  }


def test_columns_only_where_there_is_something_to_say():
  lines = cells(table.markdown(BOARD, []))
  assert lines['CAL']['classes found'] == '19.0'
  assert lines['CPL']['classes found'] == ''
  plain = table.markdown([BOARD[0], BOARD[1]], ['made so'])
  assert 'classes found' not in plain and 'gap' not in plain.lower()
  assert plain.endswith('- made so\n')


def test_bounds_the_wrong_way_round_leave_no_gap():
  board = [entry('l', (0.8,), 'lower'), BOARD[1], entry('u', (0.7,), 'upper')]
  assert table.gap_closed(board[1], board) is None


def test_what_the_data_cannot_tell_is_not_available():
  heap = entry('CPL', (0.5, 0.6, 0.7), novel_acc=[None] * 3)
  assert cells(table.markdown([heap], []))['CPL']['Novel ACC'] == 'n/a'
  assert picture.png([heap], 'heap')


def test_csv_has_fractions_of_rows_and_runs():
  lines = list(csv.DictReader(io.StringIO(table.rows_csv(BOARD))))
  assert [line['row'] for line in lines] == [e.name for e in BOARD]
  assert float(lines[1]['all_acc_mean']) == pytest.approx(0.6)
  assert float(lines[1]['all_acc_sd']) == pytest.approx(0.1)
  assert float(lines[1]['gap_closed']) == pytest.approx(0.5)
  assert (lines[2]['finished'], lines[2]['all_acc_sd']) == ('1', '')
  assert (lines[3]['finished'], lines[3]['all_acc_mean']) == ('0', '')
  runs = list(csv.DictReader(io.StringIO(table.runs_csv(BOARD))))
  assert len(runs) == 10
  assert [float(x['new_acc']) for x in runs if x['row'] == 'CPL'] == [
    0.5,
    0.7,
    0.6,
  ]


def test_picture_shows_the_rows_that_have_runs():
  def drawn(board):
    return cv2.imdecode(np.frombuffer(picture.png(board, 'x'), np.uint8), 1)

  whole, without_one = drawn(BOARD), drawn([*BOARD[:2], BOARD[4]])
  assert whole.shape[1] == 1660
  assert whole.shape[0] > without_one.shape[0]
  np.testing.assert_array_equal(
    without_one, drawn([*BOARD[:2], BOARD[3], BOARD[4]])
  )
  assert (whole[0] == 255).all() and (whole[:, -1] == 255).all()


def test_runs_are_ordinary_ones_with_settings_of_all_and_their_own(
  packed, tmp_path
):
  own = {**TWO_ROWS[1], 'name': 'CPL (wide)', 'overrides': ('batch_size=32',)}
  runs = make_runs(packed, tmp_path, rows=(*TWO_ROWS, own), seeds=(4, 2))
  assert [run.experiment.workdir.name for run in runs] == [
    f'{name}-{seed}'
    for seed in (4, 2)
    for name in ('lower-bound', 'cpl', 'cpl-wide')
  ]
  configs = [run.experiment.config for run in runs[:3]]
  assert [config.seed for config in configs] == [4] * 3
  assert [config.batch_size for config in configs] == [16, 16, 32]
  assert [config.data.supervision for config in configs[:2]] == [
    'labelled',
    'open_world',
  ]
  assert configs[0].eval.metric == 'all_nmi'
  assert results.bound(configs[0]) == 'lower'
  assert results.bound(configs[1]) == ''


def test_work_is_shared_by_rows_and_by_seeds(packed, tmp_path):
  def chosen(**changes):
    config = make_config(packed, seeds=(0, 1), **changes)
    runs = rows.choose(config, rows.make_runs(config, str(tmp_path)))
    return [(run.row.name, run.seed) for run in runs]

  assert len(chosen()) == 4
  assert chosen(only_rows='CPL') == [('CPL', 0), ('CPL', 1)]
  assert chosen(only_rows='cpl, lower-bound', only_seeds=(1,)) == [
    ('lower bound', 1),
    ('CPL', 1),
  ]
  with pytest.raises(UserError, match='only_rows names mpsl; .*cpl, lower'):
    chosen(only_rows='MPSL')
  with pytest.raises(UserError, match='only_seeds names 7; there are 0, 1'):
    chosen(only_seeds=(7,))


@pytest.mark.parametrize(
  'changes, named',
  [
    ({'seeds': ()}, 'no proper seeds: --config.seeds=..;'),
    ({'seeds': (1, 1)}, 'no two alike'),
    ({'seeds': (0.5,)}, 'whole number'),
    ({'rows': ()}, 'no rows'),
    ({'rows': ({'name': 'x'},)}, "not a row.*'name': 'x'"),
    ({'rows': ('cpl',)}, 'not a row'),
    ({'rows': ({'name': 'x', 'config': 'cpl', 'overrides': 'a=1'},)}, 'not a'),
    ({'rows': ({'name': '±', 'config': 'cpl'},)}, 'called that'),
    ({'rows': ({'name': 'a|b', 'config': 'cpl'},)}, 'called that'),
    (
      {'rows': (*TWO_ROWS, {'name': 'cpl!', 'config': 'mpsl'})},
      "share a folder.*'cpl!'",
    ),
    ({'rows': ({'name': 'x', 'config': 'clp'},)}, "row 'x' has config='clp'"),
    ({'rows': ({'name': 'x', 'config': 'benchmarks'},)}, 'no such method'),
    ({'rows': ({'name': 'x', 'config': '../cpl'},)}, 'no such method'),
    ({'shared': ('epoch=3',)}, "given 'epoch=3'"),
    ({'shared': ('epochs=many',)}, "given 'epochs=many'"),
    ({'shared': ('model.depth=3',)}, "given 'model.depth=3'"),
    ({'shared': ('epochs',)}, 'without a value'),
    ({'metric': 'all_luck'}, 'all_luck'),
    ({'shared': ('data.path=nowhere',)}, 'nowhere'),
  ],
)
def test_bad_input(packed, tmp_path, changes, named):
  with pytest.raises(UserError, match=named):
    make_runs(packed, tmp_path / 'board', **changes)
  assert not (tmp_path / 'board').exists()


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


def test_rows_judged_differently_are_not_compared(packed, tmp_path):
  lucky = TWO_ROWS[1] | {'overrides': ('eval.selection=test',)}
  with pytest.raises(UserError, match='eval.selection=last and test'):
    make_runs(packed, tmp_path, rows=(TWO_ROWS[0], lucky))


def test_text_that_looks_like_a_number_stays_text(packed, tmp_path):
  config = make_config(packed)
  shared = (*config.shared, 'eval.checkpoint=12', 'optimizer.learning_rate=1')
  run = make_runs(packed, tmp_path, shared=shared)[0]
  assert run.experiment.config.eval.checkpoint == '12'
  assert run.experiment.config.optimizer.learning_rate == 1.0


def test_default_rows_are_methods_between_bounds(monkeypatch):
  config = leaderboard.get_config('simulated1')
  names = [row.name for row in rows.read_rows(config.rows)]
  assert names[0] == 'lower bound' and names[-1] == 'upper bound'
  assert {'CPL', 'MPSL'} < set(names)
  assert len(rows.read_seeds(config.seeds)) >= 3
  for module in (rows, stages):
    monkeypatch.setattr(
      module, 'set_up', lambda config, _: types.SimpleNamespace(config=config)
    )
  for run in rows.make_runs(config, 'unused'):
    make_method(run.experiment.config)
  with pytest.raises(UserError, match='unknown benchmark'):
    leaderboard.get_config('simulated9')


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
