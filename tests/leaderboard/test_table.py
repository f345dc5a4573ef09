"""The tables and the picture of a leaderboard."""

import csv
import io

import cv2
import numpy as np
import pytest

from helpers.boards import cells
from owdfa_jax.evaluation.report import COLUMNS
from owdfa_jax.leaderboard import picture, table
from owdfa_jax.leaderboard.table import Entry


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
