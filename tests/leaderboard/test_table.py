"""The tables and the picture of a leaderboard."""

import csv
import io

import cv2
import numpy as np
import pytest

from helpers.boards import read_cells
from owdfa_jax.leaderboard import picture, table
from owdfa_jax.leaderboard.table import Entry, leaderboard_markdown
from owdfa_jax.report_fields import TABLE_COLUMNS


def make_entry(name, values, bound='', seeds=(0, 1, 2), **columns):
  """Returns a row whose finished seeds have `values` in every column.

  Args:
    name: of the row.
    values: a number per finished seed.
    bound: 'lower' or 'upper' for a bound.
    seeds: of the row.
    **columns: other numbers per finished seed, by column.
  """
  reports = {
    seed: {**dict.fromkeys(TABLE_COLUMNS, value), 'machine': None}
    for seed, value in zip(seeds, values, strict=False)
  }
  for column, numbers in columns.items():
    for report, number in zip(reports.values(), numbers, strict=True):
      report[column] = number
  return Entry(name, bound, 11, seeds, reports)


BOARD = (
  make_entry('lower bound', (0.2, 0.2, 0.2), 'lower'),
  make_entry('CPL', (0.5, 0.7, 0.6)),
  make_entry('CAL', (0.4,), num_outputs_in_use=[19]),
  make_entry('MPSL', ()),
  make_entry('upper bound', (0.9, 1.1, 1.0), 'upper'),
)


def test_markdown_has_means_deviations_and_the_gap_closed():
  cells = read_cells(leaderboard_markdown(BOARD, []))
  assert cells['CPL']['seeds'] == '3'
  assert cells['CPL']['gap closed'] == '50 %'
  assert cells['lower bound']['gap closed'] == ''
  assert [cells['CPL'][name] for name in TABLE_COLUMNS.values()] == [
    '60.0 ± 10.0'
  ] * 8


def test_unfinished_rows_show_their_progress():
  cells = read_cells(leaderboard_markdown(BOARD, []))
  assert cells['CAL']['seeds'] == '1 of 3'
  assert cells['CAL']['New ACC'] == '40.0'
  assert cells['CAL']['gap closed'] == '25 %'
  assert cells['MPSL'] == dict.fromkeys(cells['MPSL'], '') | {
    'row': 'MPSL',
    'seeds': '0 of 3',
  }


def test_columns_without_any_number_are_left_out():
  cells = read_cells(leaderboard_markdown(BOARD, []))
  assert cells['CAL']['outputs in use'] == '19.0'
  assert cells['CPL']['outputs in use'] == ''
  plain = leaderboard_markdown(BOARD[:2], ['a note'])
  assert 'outputs in use' not in plain and 'gap' not in plain.lower()
  assert plain.endswith('- a note\n')


def test_upper_bound_below_the_lower_one_leaves_no_gap():
  board = [
    make_entry('l', (0.8,), 'lower'),
    BOARD[1],
    make_entry('u', (0.7,), 'upper'),
  ]
  assert table.gap_closed(board[1], board) is None


def test_metric_that_the_data_cannot_give_is_not_available():
  entry = make_entry('CPL', (0.5, 0.6, 0.7), novel_acc=[None] * 3)
  cells = read_cells(leaderboard_markdown([entry], []))
  assert cells['CPL']['Novel ACC'] == 'n/a'
  assert picture.draw_leaderboard([entry], 'unsorted images')


def make_heap_entry(name, called_novel):
  """Returns a row of runs on a heap: Known ACC is the only accuracy."""
  return make_entry(
    name,
    [None] * len(called_novel),
    known_acc=[0.9] * len(called_novel),
    heap_novel_share=called_novel,
  )


def test_table_of_a_heap_shows_what_was_called_novel():
  board = [make_heap_entry('CPL', (0.2, 0.4, 0.3)), make_entry('MPSL', ())]
  text = leaderboard_markdown(board, [])
  cells = read_cells(text)
  assert cells['CPL']['called novel'] == '30.0 ± 10.0'
  assert cells['CPL']['Known ACC'] == '90.0 ± 0.0'
  assert cells['MPSL']['called novel'] == ''
  others = set(TABLE_COLUMNS.values()) - {'Known ACC'}
  assert {cells['CPL'][name] for name in others} == {'n/a'}
  assert 'Called novel: share of the images without a true class' in text
  (row, _) = csv.DictReader(io.StringIO(table.rows_csv(board)))
  assert row['all_acc_mean'] == ''
  assert float(row['heap_novel_share_mean']) == pytest.approx(0.3)


def test_picture_of_a_heap_says_not_available():
  """The rows keep their places; a figure without a number has no dot."""

  def panels(entry):
    png = picture.draw_leaderboard([entry], 'x')
    image = cv2.imdecode(np.frombuffer(png, np.uint8), 1)
    # The colour of the dots, in each third of the picture.
    dots = (abs(image.astype(int) - (0xB2, 0x72, 0x00)) < 12).all(-1)
    return [part.any() for part in np.array_split(dots, 3, axis=1)]

  assert panels(make_entry('CPL', (0.2, 0.4))) == [True, True, True]
  assert panels(make_heap_entry('CPL', (0.2, 0.4))) == [False, True, False]


def test_csv_files_have_fractions():
  rows = list(csv.DictReader(io.StringIO(table.rows_csv(BOARD))))
  assert [row['row'] for row in rows] == [entry.name for entry in BOARD]
  assert float(rows[1]['all_acc_mean']) == pytest.approx(0.6)
  assert float(rows[1]['all_acc_sd']) == pytest.approx(0.1)
  assert float(rows[1]['gap_closed']) == pytest.approx(0.5)
  assert (rows[2]['finished'], rows[2]['all_acc_sd']) == ('1', '')
  assert (rows[3]['finished'], rows[3]['all_acc_mean']) == ('0', '')
  runs = list(csv.DictReader(io.StringIO(table.runs_csv(BOARD))))
  assert len(runs) == 10
  new_acc = [float(x['new_acc']) for x in runs if x['row'] == 'CPL']
  assert new_acc == [0.5, 0.7, 0.6]


def test_picture_shows_the_rows_with_finished_runs():
  def draw(board):
    png = picture.draw_leaderboard(board, 'x')
    return cv2.imdecode(np.frombuffer(png, np.uint8), 1)

  whole, without_one = draw(BOARD), draw([*BOARD[:2], BOARD[4]])
  assert whole.shape[1] == 1660
  assert whole.shape[0] > without_one.shape[0]
  np.testing.assert_array_equal(
    without_one, draw([*BOARD[:2], BOARD[3], BOARD[4]])
  )
  assert (whole[0] == 255).all() and (whole[:, -1] == 255).all()


def test_a_row_is_no_formula_of_a_spreadsheet():
  entry = make_entry('=1+1', (0.5,))
  assert "\n'=1+1," in table.rows_csv([entry])
