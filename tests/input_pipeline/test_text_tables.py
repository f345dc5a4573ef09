"""Tables for pages and terminals."""

import pytest

from input_pipeline import text_tables

HEADER, ROWS = ('name', 'n'), [('a|b', '1'), ('c', '200')]


def test_markdown():
  assert text_tables.markdown(HEADER, ROWS, 'lr').splitlines() == [
    '| name | n |',
    '| --- | ---: |',
    '| a&#124;b | 1 |',
    '| c | 200 |',
  ]


def test_aligned():
  assert text_tables.aligned(HEADER, ROWS, 'lr').splitlines() == [
    'name    n',
    'a|b     1',
    'c     200',
  ]


def test_without_rows():
  assert text_tables.aligned(HEADER, []) == 'name  n'
  assert len(text_tables.markdown(HEADER, []).splitlines()) == 2


@pytest.mark.parametrize(
  ('number', 'noun', 'shown'),
  [
    (1, 'device', '1 device'),
    (0, 'device', '0 devices'),
    (1, 'process', '1 process'),
    (2, 'process', '2 processes'),
  ],
)
def test_counted(number, noun, shown):
  assert text_tables.counted(number, noun) == shown


def test_nothing_is_less_than_0_percent_by_rounding():
  values = (None, 0.12345, -0.0, -1e-9, -0.5)
  shown = ['n/a', '12.35', '0.00', '0.00', '-50.00']
  assert [text_tables.percent(x) for x in values] == shown
