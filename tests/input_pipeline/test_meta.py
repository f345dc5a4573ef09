"""The meta CSV: reading, writing, and errors with their place."""

import csv
import hashlib

import numpy as np
import pytest

from helpers.imagesets import meta_row
from helpers.paths import GOLDENS
from input_pipeline import meta
from input_pipeline.errors import UserError


def some_rows():
  return [
    meta_row(0, 0, tag=1),
    meta_row(0, 1),
    meta_row(1, 2, tag=1, method='é, "x"'),
    meta_row(2, 3, tag=2),
    meta_row(2, 4, tag=0),
    meta_row(-1, 5, tag=2, method='', face_type=-1),
  ]


def write(path, rows):
  meta.write_meta(path, rows)
  return path


def test_what_is_written_is_read(tmp_path):
  path = write(tmp_path / 'meta.csv', some_rows())
  table = meta.read_meta(path)
  assert len(table) == 6
  assert table.label.tolist() == [0, 0, 1, 2, 2, -1]
  assert table.tag.tolist() == [1, 2, 1, 2, 0, 2]
  assert table.method[2] == 'é, "x"'
  assert table.split is None
  assert table.num_known == 2
  assert table.file(1) == tmp_path / '0/1.png'
  assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
  assert [p.name for p in tmp_path.iterdir()] == ['meta.csv']


def test_absolute_paths_stay(tmp_path):
  rows = [meta_row(0, 0, tag=1, path='/elsewhere/a.png')]
  table = meta.read_meta(write(tmp_path / 'meta.csv', rows))
  assert str(table.file(0)) == '/elsewhere/a.png'


def test_the_split_column_is_read(tmp_path):
  rows = some_rows()
  for number, row in enumerate(rows):
    row['split'] = ['train', 'test'][number % 2]
  table = meta.read_meta(write(tmp_path / 'meta.csv', rows))
  assert table.split.tolist() == ['train', 'test'] * 3


def test_a_byte_order_mark_is_ignored(tmp_path):
  path = write(tmp_path / 'meta.csv', some_rows())
  path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
  assert len(meta.read_meta(path)) == 6


def test_classes_are_named_by_method_and_source_where_needed(tmp_path):
  rows = [
    meta_row(0, 0, tag=1, method='Real', image_source='A', face_type=1),
    meta_row(1, 1, tag=1, method='Swap', image_source='B'),
    meta_row(1, 2, tag=1, method='Swap', image_source='A'),
    meta_row(2, 3, method='Real', image_source='B', face_type=1),
    # A dropped row does not make a class.
    meta_row(3, 4, tag=0),
  ]
  table = meta.read_meta(write(tmp_path / 'meta.csv', rows))
  classes = meta.classes(table)
  assert [c.name for c in classes] == ['Real-A', 'Swap', 'Real-B']
  assert [c.image_source for c in classes] == ['A', 'A&B', 'B']
  assert [c.known for c in classes] == [True, True, False]
  assert [c.face_type for c in classes] == [1, 0, 1]


@pytest.mark.golden
def test_the_golden_file_is_valid():
  path = GOLDENS / 'meta.csv'
  table = meta.read_meta(path)
  with open(path, newline='') as file:
    rows = list(csv.DictReader(file))
  assert table.label.tolist() == [int(row['label']) for row in rows]
  assert table.image_source.tolist() == [row['image_source'] for row in rows]
  labelled = {int(row['label']) for row in rows if row['tag'] == '1'}
  kept = {int(row['label']) for row in rows if row['tag'] != '0'}
  classes = meta.classes(table)
  assert {c.label for c in classes} == kept
  assert {c.label for c in classes if c.known} == labelled
  assert len({c.name for c in classes}) == len(classes)


@pytest.mark.parametrize(
  ('field', 'value', 'message'),
  [
    ('label', 'x', "line 3, label='x': must be an integer"),
    ('label', '', "line 3, label='': must be an integer"),
    ('label', -2, 'line 3, label=-2: must be -1 or more'),
    ('label', 2**31, 'label=2147483648'),
    ('forgery_label', '1.5', "line 3, forgery_label='1.5'"),
    ('tag', 3, 'line 3, tag=3: must be 0, 1 or 2'),
    ('face_type', 2, 'line 3, face_type=2'),
    ('face_type', -1, 'line 3, face_type=-1'),
    ('img_path', '', "line 3, img_path='': is empty"),
    ('img_path', 'a\tb', 'img_path'),
    ('method', '', "line 3, method='': is empty"),
    (
      'method',
      'other',
      "line 3, method='other': label 0 has method=m0 in line",
    ),
    ('forgery_type', 'other', 'forgery_type=IdentitySwap in line 2'),
    (
      'face_type',
      1,
      "line 3, face_type='1': label 0 has face_type=0 in line 2",
    ),
  ],
)
def test_a_bad_field_is_named(tmp_path, field, value, message):
  rows = some_rows()
  rows[1][field] = value
  path = write(tmp_path / 'meta.csv', rows)
  with pytest.raises(UserError) as error:
    meta.read_meta(path)
  assert str(path) in str(error.value)
  assert message in str(error.value)


@pytest.mark.parametrize('tag', [0, 1])
def test_an_unknown_label_needs_an_unlabelled_row(tmp_path, tag):
  rows = [*some_rows(), meta_row(-1, 9, tag=tag)]
  with pytest.raises(UserError, match='line 8, label=-1: an unknown label'):
    meta.read_meta(write(tmp_path / 'meta.csv', rows))


@pytest.mark.parametrize(
  ('labels_and_tags', 'message'),
  [
    ([(0, 1), (2, 2)], 'empty class: .*label=1'),
    ([(1, 1), (0, 2)], 'empty class: .*label=0 has no labelled row'),
    ([(0, 2), (1, 2)], 'no labelled row'),
    ([(0, 1), (1, 0), (2, 2)], 'empty class: .*label=1'),
    ([], 'no rows'),
  ],
)
def test_classes_are_numbered_without_gaps_known_first(
  tmp_path, labels_and_tags, message
):
  rows = [meta_row(l, i, tag=t) for i, (l, t) in enumerate(labels_and_tags)]
  with pytest.raises(UserError, match=message):
    meta.read_meta(write(tmp_path / 'meta.csv', rows))


def test_one_class_under_two_labels_is_refused(tmp_path):
  rows = [meta_row(0, 0, tag=1), meta_row(1, 1, tag=1, method='m0')]
  with pytest.raises(UserError, match="two labels are both called 'm0-src'"):
    meta.read_meta(write(tmp_path / 'meta.csv', rows))


@pytest.mark.parametrize(
  ('damage', 'message'),
  [
    (lambda b: b'', 'line 1: header'),
    (lambda b: b.replace(b'img_path', b'path'), 'line 1: header'),
    (lambda b: b + b'a,b\n', 'line 8: 2 fields, the header has 12'),
    (lambda b: b[:300] + b'\xff' + b[300:], 'line .: not UTF-8'),
    (lambda b: b + b'"' + b'x' * 200000 + b'"', 'field larger than'),
  ],
)
def test_a_damaged_file_is_refused(tmp_path, damage, message):
  path = write(tmp_path / 'meta.csv', some_rows())
  path.write_bytes(damage(path.read_bytes()))
  with pytest.raises(UserError, match=message):
    meta.read_meta(path)


def test_a_bad_split_value_is_refused(tmp_path):
  rows = [row | {'split': 'valid'} for row in some_rows()]
  with pytest.raises(UserError, match="line 2, split='valid'"):
    meta.read_meta(write(tmp_path / 'meta.csv', rows))


def test_a_missing_file_is_refused(tmp_path):
  with pytest.raises(UserError, match='No such file'):
    meta.read_meta(tmp_path / 'none.csv')


def test_an_unwritable_file_is_refused(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(UserError, match='cannot write'):
    meta.write_meta(tmp_path / 'file' / 'meta.csv', some_rows())


def test_text_columns_are_python_strings(tmp_path):
  # NumPy's fixed-width strings would store every path as the longest one.
  table = meta.read_meta(write(tmp_path / 'meta.csv', some_rows()))
  assert table.img_path.dtype == np.dtype(object)


def test_a_file_name_that_is_not_unicode_is_refused(tmp_path):
  rows = [
    meta_row(0, 0, tag=1, path=b'a\xff.png'.decode(errors='surrogateescape'))
  ]
  with pytest.raises(UserError, match='not valid Unicode') as error:
    meta.write_meta(tmp_path / 'meta.csv', rows)
  assert r'a\udcff.png' in str(error.value)
  assert not list(tmp_path.iterdir())


def test_of_a_missing_list_others_in_its_folder_are_named(tmp_path):
  for name in ('owdfa1_meta.csv', 'notes.csv'):
    (tmp_path / name).write_text('')
  with pytest.raises(UserError) as caught:
    meta.read_meta(tmp_path / 'meta.csv')
  assert str(caught.value).endswith(
    f'; give one of {tmp_path}/owdfa1_meta.csv, or make one with '
    '`owdfa prepare` '
    '(python -m input_pipeline.prepare)'
  )
  (tmp_path / 'owdfa1_meta.csv').unlink()
  with pytest.raises(UserError, match='give one of .*notes.csv, or make'):
    meta.read_meta(tmp_path)
  with pytest.raises(UserError, match='directory; make one with'):
    meta.read_meta(tmp_path / 'none' / 'meta.csv')
