"""The index of a split: the ids in it, and damaged id columns."""

import io
import zipfile

import numpy as np
import pytest

from input_pipeline import split_index
from input_pipeline.errors import UserError

IDS = ['a/1.png', 'é/日本.png', 'b', 'a/1.png']
COLUMNS = {
  'shard': np.zeros(4),
  'offset': np.array([12, 112, 212, 312]),
  'length': np.full(4, 84),
  'label': np.array([0, 1, -1, 0]),
  'tag': np.array([1, 2, 2, 1]),
}


def read(path):
  return split_index.read_index(path, num_rows=4, num_shards=1, num_classes=2)


@pytest.fixture
def path(tmp_path):
  split_index.write_index(tmp_path / 'train.index.npz', COLUMNS, IDS)
  return tmp_path / 'train.index.npz'


def change(path, **changes):
  """Replaces columns of the index; None removes one."""
  with np.load(path) as file:
    columns = dict(file) | changes
  np.savez(path, **{k: v for k, v in columns.items() if v is not None})


def test_what_is_written_is_read(path):
  columns, ids = read(path)
  assert columns.keys() == split_index.INDEX_DTYPES.keys()
  for name, dtype in split_index.INDEX_DTYPES.items():
    assert columns[name].dtype == dtype
    np.testing.assert_array_equal(columns[name], COLUMNS[name])
  assert ids.take(range(4)) == IDS
  with np.load(path) as file:
    assert file['id_end'].tolist() == [7, 20, 21, 28]
  assert ids.take(np.array([2, 0, 2])) == ['b', 'a/1.png', 'b']
  assert ids.take([]) == []


@pytest.mark.parametrize('row', [-1, 4])
def test_rows_beyond_the_split_have_no_id(path, row):
  with pytest.raises(IndexError, match=f'row {row} of 4'):
    read(path)[1].take([row])


def test_an_index_without_ids_is_read(path):
  change(path, id_bytes=None, id_end=None)
  columns, ids = read(path)
  assert ids is None
  np.testing.assert_array_equal(columns['label'], COLUMNS['label'])


def test_older_readers_find_their_columns(path):
  """They load the columns that they know by name, and ignore all others."""
  with np.load(path, allow_pickle=False) as file:
    assert split_index.INDEX_DTYPES.keys() < set(file.files)


def ends(*values):
  return np.array(values, np.int64)


def text(content):
  return np.frombuffer(content, np.uint8)


# The ids of the fixture end at bytes 7, 20, 21 and 28.
@pytest.mark.parametrize(
  'changes',
  [
    # One column without the other.
    {'id_bytes': None},
    {'id_end': None},
    # Wrong types.
    {'id_end': np.arange(1, 5, dtype=np.int32)},
    {'id_end': ends(7, 20, 21, 28)[None]},
    {'id_bytes': text(b'abcd').astype(np.int8)},
    {'id_bytes': np.array([print], object)},
    # Too few rows, too many rows.
    {'id_end': ends(7, 20, 28)},
    {'id_end': ends(7, 20, 21, 27, 28)},
    # Ends that do not fit the bytes.
    {'id_end': ends(7, 20, 21, 27)},
    {'id_end': ends(7, 20, 21, 29)},
    {'id_end': ends(7, 7, 21, 28)},
    {'id_end': ends(7, 21, 20, 28)},
    {'id_end': ends(-7, 20, 21, 28)},
    {'id_end': ends(2**63 - 1, -(2**63), -5, 28)},
    {'id_end': ends(0, 20, 21, 28)},
    # An end inside the two bytes of the letter after the first id.
    {'id_end': ends(8, 20, 21, 28)},
    # Not UTF-8, and control characters.
    {'id_bytes': text(b'\xff' * 28)},
    {'id_bytes': text(b'a' * 27 + b'\n')},
    {'id_bytes': text(b'a' * 27 + b'\0')},
  ],
)
def test_damaged_ids_are_refused(path, changes):
  change(path, **changes)
  with pytest.raises(UserError, match=f'damaged file: {path}: '):
    read(path)


def test_every_damaged_byte_is_noticed_or_harmless(path):
  """Times and versions in the zip headers may change; no column may."""
  content = path.read_bytes()
  refused = 0
  for place, byte in enumerate(content):
    path.write_bytes(
      content[:place] + bytes([byte ^ 255]) + content[place + 1 :]
    )
    try:
      columns, ids = read(path)
    except UserError as error:
      assert str(error).startswith(f'damaged file: {path}: ')
      refused += 1
    else:
      assert ids is not None and ids.take(range(4)) == IDS
      for name, column in COLUMNS.items():
        np.testing.assert_array_equal(columns[name], column)
  assert refused > len(content) // 2


def test_column_of_a_huge_shape_is_refused(path):
  """Nothing of that size is allocated."""
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header, {'descr': '<i8', 'fortran_order': False, 'shape': (2**50,)}
  )
  path.unlink()
  with zipfile.ZipFile(path, 'w') as archive:
    for name in split_index.INDEX_DTYPES:
      archive.writestr(f'{name}.npy', header.getvalue())
  with pytest.raises(
    UserError, match=f"damaged file: {path}: array 'shard' .* size"
  ):
    read(path)


def test_column_with_bytes_behind_its_values_is_refused(path):
  """NumPy alone would read neither them nor the checksum."""
  with zipfile.ZipFile(path) as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
  with zipfile.ZipFile(path, 'w') as archive:
    for name, content in members.items():
      archive.writestr(name, content + b'?' * (name == 'offset.npy'))
  with pytest.raises(UserError, match="array 'offset' does not have the size"):
    read(path)
