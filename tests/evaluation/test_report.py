"""The tables and file names of a report."""

import pytest

from owdfa_jax.evaluation import report
from owdfa_jax.evaluation.report_files import split_file
from owdfa_jax.report_fields import TABLE_COLUMNS

RESULT = dict.fromkeys(TABLE_COLUMNS, 0.5) | {'known_acc': None}


def test_percent_has_two_decimals_or_is_not_available():
  assert report.percent(0.98765) == '98.77'
  assert report.percent(None) == 'n/a'


def test_headline_is_one_line_of_main_metrics():
  line = report.headline(RESULT)
  assert line.startswith('Known ACC n/a  Novel ACC 50.00  New ACC 50.00')
  assert '\n' not in line


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


@pytest.mark.parametrize(
  'split, name',
  [('test', 'report.json'), ('unlabelled', 'report_unlabelled.json')],
)
def test_file_of_another_split_names_the_split(split, name):
  assert split_file('report.json', split) == name
