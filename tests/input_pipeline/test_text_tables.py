"""Tables for pages and terminals."""

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
