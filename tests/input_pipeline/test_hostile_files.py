"""Every file of text or arrays that a command reads, in every bad form.

Each gives a `UserError` at once, and nothing is allocated for what it claims.
"""

import io
import json
import os
import pathlib
import zipfile

import pytest

from helpers.imagesets import write_set
from input_pipeline import (
  data_card,
  dataset,
  detections,
  escape,
  meta,
  pack,
  pseudo_labels,
)
from input_pipeline.benchmarks import aigc_classes, listing
from input_pipeline.errors import UserError

BOX = {'image': 'a', 'detector': 'd', 'face': [0, 0, 9, 9, 0.0]}


@pytest.fixture(scope='module')
def packed(tmp_path_factory):
  folder = tmp_path_factory.mktemp('set')
  csv = write_set(folder)
  return pack.pack(csv, folder / 'out', pack.Options(size=16), workers=1)


READERS = {
  'meta CSV': meta.read_meta,
  'card': lambda path: data_card.read_card(str(path)),
  'detections': lambda path: detections.load_detections(str(path), 'd'),
  'table of classes': lambda path: aigc_classes.read_aigc_classes(
    pathlib.Path(path)
  ),
  'list file': lambda path: listing.read_list_file(pathlib.Path(path)),
}


def utf16(text):
  return text.encode('utf-16')


# What is no file of any kind, and how to make it at a path.
NO_FILES = {
  'pipe': os.mkfifo,
  'endless device': lambda path: os.symlink('/dev/zero', path),
  'folder': os.mkdir,
  'link to itself': lambda path: os.symlink(path, path),
  'huge': lambda path: (path.touch(), os.truncate(path, 20 << 30)),
}
CONTENTS = {
  'null bytes': bytes(1000),
  'UTF-16': utf16('img_name,label\na,b\n'),
  'Latin-1': b'\xe9\n',
  'deep list': b'[' * 10**5,
  'deep key': b'[' + b'a.' * 20000 + b'a]',
  'long line': b'x' * (3 << 20),
  'long number': b'a = ' + b'9' * 10**5,
  'infinity': b'{"a": Infinity}',
}


@pytest.mark.parametrize('make', NO_FILES.values(), ids=NO_FILES.keys())
@pytest.mark.parametrize('read', READERS.values(), ids=READERS.keys())
def test_what_is_no_file_is_refused(tmp_path, read, make):
  path = tmp_path / 'file'
  make(path)
  with pytest.raises(UserError, match=f'cannot read .*{path}') as caught:
    read(path)
  assert len(str(caught.value)) < 600


@pytest.mark.parametrize('content', CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize('read', READERS.values(), ids=READERS.keys())
def test_bad_content_is_refused(tmp_path, read, content):
  path = tmp_path / 'file'
  path.write_bytes(content)
  try:
    found = read(path)
  except UserError as error:
    assert str(path) in str(error)
    assert len(escape.message(str(error))) < 1000
  else:
    # A list file may hold any lines.
    assert isinstance(found, list)
    assert read is READERS['list file']


@pytest.mark.parametrize(
  'change',
  [
    {'face': [0, 0, 10**400, 9, 0.0]},
    {'face': [0, 0, 2**31, 9, 0.0]},
    {'face': [0, 0, 9, 9, 'nan']},
    {'face': [0, 0, 9, 9, True]},
    {'face': {'a': 1}},
    {'face': [9, 0, 0, 9, 0.0]},
    {'face': 'abcde'},
  ],
)
def test_a_bad_detection_is_refused(tmp_path, change):
  path = tmp_path / 'detections.jsonl'
  path.write_text(json.dumps(BOX) + '\n' + json.dumps(BOX | change))
  with pytest.raises(UserError, match=f'damaged file: {path}, line 2: '):
    detections.load_detections(str(path), 'd')


@pytest.mark.parametrize('number', ['NaN', 'Infinity', '1e999'])
def test_a_detection_with_an_angle_that_is_no_number_is_refused(
  tmp_path, number
):
  path = tmp_path / 'detections.jsonl'
  path.write_text(json.dumps(BOX).replace('0.0', number))
  with pytest.raises(UserError, match='not a finite number'):
    detections.load_detections(str(path), 'd')


@pytest.mark.parametrize(
  ('label', 'rule'),
  [
    ('\u0663', 'must be an integer'),
    ('1_0', 'must be an integer'),
    ('9' * 5000, 'must be an integer'),
    ('1e3', 'must be an integer'),
    ('inf', 'must be an integer'),
    ('', 'must be an integer'),
    ('99999999999', 'must be -1 or more'),
  ],
)
def test_a_bad_label_is_refused(tmp_path, label, rule):
  write_set(tmp_path)
  csv = tmp_path / 'meta.csv'
  lines = csv.read_text().splitlines(keepends=True)
  fields = lines[5].split(',')
  lines[5] = ','.join([fields[0], label, *fields[2:]])
  csv.write_text(''.join(lines))
  with pytest.raises(UserError, match=f'line 6, label=.*{rule}.*; correct the'):
    meta.read_meta(csv)


def test_each_image_may_be_a_class(tmp_path):
  """The work does not grow with the square of the number of classes."""
  rows = [
    dict.fromkeys(meta.COLUMNS, '0')
    | {'label': n, 'tag': 1, 'method': f'm{n}', 'img_path': f'{n}.png'}
    for n in range(10000)
  ]
  meta.write_meta(tmp_path / 'meta.csv', rows)
  assert len(meta.classes(meta.read_meta(tmp_path / 'meta.csv'))) == 10000


def test_carriage_returns_end_lines(tmp_path):
  csv = write_set(tmp_path)
  csv.write_bytes(csv.read_bytes().replace(b'\n', b'\r'))
  assert len(meta.read_meta(csv)) == 30


def npy(header):
  """Returns the bytes of an array file with this header."""
  text = header.encode().ljust(117) + b'\n'
  start = b'\x93NUMPY\x01\x00' + len(text).to_bytes(2, 'little')
  return start + text + bytes(64)


HEADERS = {
  'huge': "{'descr': '<i4', 'fortran_order': False, 'shape': (2**50,)}",
  'claimed': "{'descr': '<i4', 'fortran_order': False, 'shape': (1<<40,)}",
  'large': "{'descr': '<i4', 'fortran_order': False, 'shape': (10**12,)}",
  'negative': "{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}",
  'object': "{'descr': '|O', 'fortran_order': False, 'shape': (8,)}",
  'deep': '(' * 100,
  'no shape': "{'descr': '<i4', 'fortran_order': False}",
  'float': "{'descr': '<f4', 'fortran_order': False, 'shape': (16,)}",
  'empty': '',
}


def spoiled_archives():
  for name, header in HEADERS.items():
    yield name, npy(header), zipfile.ZIP_STORED
  yield 'compressed', bytes(10**6), zipfile.ZIP_DEFLATED
  yield 'no array', b'', zipfile.ZIP_STORED


@pytest.fixture(
  params=spoiled_archives(), ids=lambda archive: archive[0], name='archive'
)
def an_archive(request):
  """The bytes of an `.npz` file whose arrays are all bad."""
  _, content, compression = request.param
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w', compression) as opened:
    for name in ('shard', 'offset', 'length', 'tag', 'label', 'meta'):
      opened.writestr(f'{name}.npy', content)
  return file.getvalue()


def test_bad_arrays_of_an_index_are_refused(packed, tmp_path, archive):
  (tmp_path / 'train.index.npz').write_bytes(archive)
  (tmp_path / 'description.json').write_text(json.dumps(packed.description))
  with pytest.raises(UserError, match='damaged file: .*train.index.npz'):
    dataset.open_dataset(tmp_path)


def test_bad_arrays_of_pseudo_labels_are_refused(packed, tmp_path, archive):
  path = tmp_path / 'labels.npz'
  path.write_bytes(archive)
  with pytest.raises(UserError, match='(damaged )?pseudo-labels'):
    pseudo_labels.read_pseudo_labels(str(path), packed, 4)


@pytest.mark.parametrize('make', NO_FILES.values(), ids=NO_FILES.keys())
def test_pseudo_labels_and_descriptions_are_files(packed, tmp_path, make):
  make(tmp_path / 'description.json')
  with pytest.raises(UserError):
    dataset.open_dataset(tmp_path)
  with pytest.raises(UserError, match='cannot read the pseudo-labels'):
    path = str(tmp_path / 'description.json')
    pseudo_labels.read_pseudo_labels(path, packed, 4)
