"""The rows without a network, and the rows that do not beat them."""

import pytest

from helpers.boards import (
  TWO_ROWS,
  make_config,
  make_runs,
  pretend_finished,
  read_cells,
  run_leaderboard,
)
from helpers.waves import pack_waves
from input_pipeline.errors import UserError
from owdfa_jax.leaderboard import compare, table
from owdfa_jax.leaderboard.results import bound_kind
from owdfa_jax.leaderboard.table import Entry

SPECTRUM = {'name': 'spectrum', 'config': 'spectrum'}
ALL_LABELS = {
  'name': 'spectrum (all labels)',
  'config': 'spectrum',
  'overrides': ('data.supervision=all',),
}


@pytest.fixture(scope='module')
def waves(tmp_path_factory):
  return pack_waves(tmp_path_factory.mktemp('waves'))


def entry(name, accuracy, bound=''):
  report = {'all_acc': accuracy}
  return Entry(name, bound, 1, (0,), {} if accuracy == '' else {0: report})


FLOOR = entry('spectrum', 0.5, 'floor')
LABELLED_FLOOR = entry('spectrum (all labels)', 0.8, 'floor with all labels')
NO_NETWORK = 'which has no network (All ACC)'


@pytest.mark.parametrize(
  'entries, notes',
  [
    (
      [FLOOR, entry('low', 0.3, 'lower'), entry('A', 0.5), entry('B', 0.6)],
      [f'Does not beat the spectrum, {NO_NETWORK}: low, A.'],
    ),
    (
      [FLOOR, entry('B', 0.6)],
      [f'Every row beats the spectrum, {NO_NETWORK}.'],
    ),
    (
      [FLOOR, LABELLED_FLOOR, entry('B', 0.6), entry('up', 0.7, 'upper')],
      [
        f'Every row beats the spectrum, {NO_NETWORK}.',
        f'Does not beat the spectrum with all labels given, {NO_NETWORK}: up.',
      ],
    ),
    ([FLOOR, LABELLED_FLOOR], []),
    ([entry('A', 0.1)], []),
    # Nothing has finished, or no image has a true class.
    ([entry('spectrum', '', 'floor'), entry('A', 0.1)], []),
    ([entry('spectrum', None, 'floor'), entry('A', None)], []),
    ([FLOOR, entry('A', '')], []),
  ],
)
def test_rows_that_do_not_beat_the_spectrum_are_named(entries, notes):
  assert table.floor_notes(entries) == notes


def test_a_spectrum_is_no_bound_of_the_gap():
  entries = [
    entry('low', 0.2, 'lower'),
    entry('A', 0.6),
    entry('up', 1.0, 'upper'),
    FLOOR,
    LABELLED_FLOOR,
  ]
  assert table.gap_closed(entries[1], entries) == pytest.approx(0.5)
  assert table.gap_closed(FLOOR, entries) is None


def test_rows_without_a_network_are_run_once(waves, tmp_path, monkeypatch):
  rows = (SPECTRUM, *TWO_ROWS, ALL_LABELS)
  config = make_config(
    waves, rows=rows, only_rows='spectrum,spectrum (all labels)'
  )
  runs = make_runs(waves, tmp_path, rows=rows)
  assert [bound_kind(run.config) for run in runs] == [
    'floor', 'lower', '', 'floor with all labels',
  ]  # fmt: skip
  assert [run.epochs for run in runs] == [0, 1, 1, 0]
  pretend_finished(runs[2].last, value=0.25)
  assert run_leaderboard(config, tmp_path) == 0
  text = (tmp_path / 'leaderboard.md').read_text()
  cells = read_cells(text)
  assert cells['spectrum']['All ACC'] == '100.0'
  assert cells['spectrum (all labels)']['All ACC'] == '100.0'
  assert 'Does not beat the spectrum, which has no network (All ACC): CPL.' in (
    text
  )
  assert '; 1 epoch;' in text

  monkeypatch.delattr(compare, 'run_spectrum')
  # Settings of networks do not matter.
  shared = (*config.shared, 'optimizer.learning_rate=0.5', 'epochs=3')
  other = make_config(
    waves, rows=(SPECTRUM,), shared=shared, only_rows='spectrum'
  )
  assert run_leaderboard(other, tmp_path) == 0
  changed = SPECTRUM | {'overrides': ('spectrum.components=5',)}
  with pytest.raises(UserError, match='components=64 .now 5'):
    run_leaderboard(make_config(waves, rows=(changed,)), tmp_path)


def test_a_damaged_report_of_a_spectrum_is_not_finished(waves, tmp_path):
  (run,) = make_runs(waves, tmp_path, rows=(SPECTRUM,))
  pretend_finished(run.last)
  # That of a network.
  assert compare.finished_report(run) is None
  pretend_finished(run.last, spectrum={'components': 64})
  assert compare.finished_report(run) is not None
  pretend_finished(run.last, spectrum={'components': 64}, split='train')
  assert compare.finished_report(run) is None
