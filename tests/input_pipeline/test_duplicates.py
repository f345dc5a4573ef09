"""Files of equal bytes: their groups, and the lines on them."""

import pytest

from input_pipeline import duplicates
from input_pipeline.errors import UserError


def test_files_of_equal_bytes_are_one_group_in_the_order_given(tmp_path):
  contents = ['b', 'a', 'c', 'a', 'b', 'd', 'a']
  paths = []
  for number, content in enumerate(contents):
    (tmp_path / f'{number}').write_text(content)
    paths.append(str(tmp_path / f'{number}'))
  assert duplicates.duplicate_groups(paths) == [[0, 4], [1, 3, 6]]
  assert duplicates.duplicate_groups([]) == []


def test_the_same_path_twice_is_a_group(tmp_path):
  (tmp_path / 'a').write_text('')
  assert duplicates.duplicate_groups([str(tmp_path / 'a')] * 2) == [[0, 1]]


def test_lines_count_all_groups_and_show_the_first():
  many = [[f'{i}a', f'{i}b', f'{i}c', f'{i}d'] for i in range(5)]
  lines = duplicates.duplicate_lines(
    {'here': many, 'nowhere': [], 'there': [['x', 'y']]}
  )
  assert lines == [
    'duplicates here: 5, such as',
    '  0a = 0b = 0c',
    '  1a = 1b = 1c',
    '  2a = 2b = 2c',
    'duplicates there: 1, such as',
    '  x = y',
  ]
  assert duplicates.duplicate_lines({'nowhere': []}) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path):
  (tmp_path / 'a').write_bytes(b'content')
  with pytest.raises(UserError, match='cannot read .*/b: No such file'):
    duplicates.duplicate_groups([str(tmp_path / 'a'), str(tmp_path / 'b')])
