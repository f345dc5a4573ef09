"""The tables and file names of a report."""

import json

import numpy as np
import pytest

from input_pipeline import text_tables
from owdfa_jax.evaluation import report
from owdfa_jax.evaluation.heap import heap_summary
from owdfa_jax.evaluation.report_files import split_file
from owdfa_jax.report_fields import TABLE_COLUMNS

RESULT = dict.fromkeys(TABLE_COLUMNS, 0.5) | {'known_acc': None}


def test_percent_has_two_decimals_or_is_not_available():
  assert text_tables.percent(0.98765) == '98.77'
  assert text_tables.percent(None) == 'n/a'


def test_headline_is_one_line_of_main_metrics():
  line = report.headline(RESULT)
  assert line.startswith('Known ACC n/a  Novel ACC 50.00  New ACC 50.00')
  assert '\n' not in line


def test_headline_of_a_heap_says_where_its_images_went():
  heap = heap_summary(np.array([0, 2, 2, 3]), np.full(4, 0.6), list('abcd'), 2)
  line = report.headline({'known_acc': 0.9, 'heap': heap})
  assert line == (
    'Known ACC 90.00  without a true class: 75.00 % novel, 3 of 4 outputs, '
    'mean confidence 60.00 %'
  )


def test_main_table_names_its_rows_on_request():
  header, rule, row = report.main_table({'': RESULT}).splitlines()
  assert header.startswith('| Known ACC |') and row.startswith('| n/a | 50.00 ')
  assert rule == '|' + ' ---: |' * 8
  table = report.main_table({'a': RESULT, 'b': RESULT}, 'stage').splitlines()
  assert [line.split(' | ')[0] for line in table] == [
    '| stage',
    '| ---',
    '| a',
    '| b',
  ]


def test_class_table_says_where_images_went():
  entry = {
    'name': 'StyleGAN',
    'known': False,
    'count': 12,
    'accuracy': 0.25,
    'predicted': 1,
    'predicted_share': 0.75,
  }
  line = report.class_table([entry], ['FOMM', 'novel-1']).splitlines()[1]
  assert line.split() == 'StyleGAN novel 12 25.00 novel-1 75.00'.split()


def test_class_table_marks_novel_classes_under_known_names():
  entry = {
    'count': 10,
    'accuracy': 0.5,
    'matched': 0,
    'predicted': 0,
    'predicted_share': 0.5,
  }
  table = report.class_table(
    [
      entry | {'name': 'A', 'known': True, 'under_known_name': False},
      entry | {'name': 'B', 'known': False, 'under_known_name': True},
    ],
    ['A'],
  )
  first, second, note = table.splitlines()[1:]
  assert first.split() == 'A known 10 50.00 A 50.00'.split()
  assert second.split() == 'B novel* 10 50.00 A 50.00'.split()
  assert note == '* correct under the name of a known class: B as A'


def test_novel_classes_under_known_names_are_a_warning():
  entry = {'known': False, 'count': 20, 'novel_share': 0.0}
  known = {'known': True, 'count': 20, 'novel_share': 1.0}
  found = {'per_class': [known, entry, entry], 'heap': None}
  (line,) = report.novel_class_lines(found)
  assert line == (
    'warning: 0 of 40 images of novel classes got a novel output: the network '
    'calls novel sources by the names of known classes; Novel ACC and New ACC '
    'may count these names as correct'
  )
  # At the limit: one image in twenty.
  found['per_class'] = [entry, entry | {'novel_share': 0.1}]
  assert report.novel_class_lines(found) == []
  assert report.novel_class_lines({'per_class': [known], 'heap': None}) == []


def test_warning_of_novel_classes_is_given_once():
  per_class = [{'known': False, 'count': 20, 'novel_share': 0.0}]
  names = ['a', 'b', 'novel-2']
  for predicted, lines in [([0] * 10 + [1] * 10, 0), ([0] * 10 + [2] * 10, 1)]:
    heap = heap_summary(
      np.array(predicted), np.ones(20), names, 2, per_class=per_class
    )
    found = report.novel_class_lines({'per_class': per_class, 'heap': heap})
    assert len(found) == lines
    said = [*found, *heap['warnings']]
    assert sum('0 of 20 images of novel classes' in line for line in said) == 1


def test_numbers_that_are_no_json_are_not_written(tmp_path):
  path = tmp_path / 'report.json'
  with pytest.raises(ValueError, match='not JSON compliant'):
    report.write_json(path, {'all_acc': float('nan')})
  assert not path.exists()
  report.write_json(path, {'all_acc': None})
  assert json.loads(path.read_text()) == {'all_acc': None}


@pytest.mark.parametrize(
  'missing, known, lines',
  [(0, 5, 0), (0, 10, 1), (4, 5, 2), (9, 1, 2), (10, 0, 1)],
)
def test_truth_lines_say_what_figures_cover(missing, known, lines):
  found = report.truth_lines(
    {
      'num_without_truth': missing,
      'num_known_examples': known,
      'num_examples': 10,
    }
  )
  assert len(found) == lines
  if missing:
    assert found[0].startswith(f'{missing} of 10 images have no true class')
  if lines == 2:
    images = 'image' if known == 1 else 'images'
    assert found[1] == (
      f'Known ACC covers the {known} {images} whose true class is a known one; '
      f'of the {missing} without a true class, some may be of known classes too'
    )


@pytest.mark.parametrize(
  'split, name',
  [('test', 'report.json'), ('unlabelled', 'report_unlabelled.json')],
)
def test_file_of_another_split_names_the_split(split, name):
  assert split_file('report.json', split) == name
