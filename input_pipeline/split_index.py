"""The index of a packed split: where each record lies, and its label.

An index is an `.npz` file with one column per field. Every column has a fixed
dtype and is loaded without pickle, so that opening an untrusted file runs no
code.
"""

import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from input_pipeline import npz
from input_pipeline.errors import UserError
from input_pipeline.name_rule import is_one_line
from input_pipeline.packed_format import DESCRIPTION, damaged_file
from input_pipeline.tfrecord import HEADER_BYTES

# Row by row: the shard of the record, the byte offset and the number of bytes
# of its data, its true label (-1 unknown) and its tag.
INDEX_DTYPES = {
  'shard': np.int32,
  'offset': np.int64,
  'length': np.int64,
  'label': np.int32,
  'tag': np.int8,
}
# The ids of all rows as one block of UTF-8, and the end of each in bytes. A
# string array would take 4 bytes for every character of the longest path in
# every row: gigabytes for a million images.
ID_DTYPES = {'id_bytes': np.uint8, 'id_end': np.int64}
# The number of each row's group, below N. It is missing where each row is a
# group of its own, as in packs made before there were groups.
GROUP_DTYPES = {'group': np.int32}
_DTYPES = INDEX_DTYPES | ID_DTYPES | GROUP_DTYPES

# In bytes. A message of protocol buffers has at most 2 GiB, and the ends of
# records must not overflow.
_LARGEST_RECORD, _LARGEST_SHARD = 2**31, 2**60


class RowIds:
  """The ids of a split's rows: their paths as the meta CSV has them."""

  def __init__(self, id_bytes: np.ndarray, id_end: np.ndarray) -> None:
    """Takes the two columns of the index.

    Args:
      id_bytes: uint8 [M], the ids one after another in UTF-8.
      id_end: int64 [N], the end of each id in `id_bytes`.

    Raises:
      ValueError: the columns do not hold one id for each row, or an id has
        control characters.
    """
    # All ids are decoded at once, which is far faster than one by one.
    text = id_bytes.tobytes().decode()  # UnicodeDecodeError is a ValueError
    if not is_one_line(text):
      raise ValueError('an id has control characters')
    start = np.concatenate([np.zeros(1, np.int64), id_end])
    # Compared, not subtracted: differences of huge values wrap around.
    if start[-1] != len(id_bytes) or (start[1:] <= start[:-1]).any():
      raise ValueError('the ends of the ids do not fit their bytes')
    # An end inside a character would leave two halves that are not UTF-8.
    if ((id_bytes[start[:-1]] & 0xC0) == 0x80).any():
      raise ValueError('the ends of the ids do not fit their characters')
    self._bytes, self._start = id_bytes, start

  def __len__(self) -> int:
    return len(self._start) - 1

  def take(self, rows: Iterable[int]) -> list[str]:
    """Returns the ids of `rows`, in their order."""
    return [self._id(row) for row in rows]

  def select(self, rows: Iterable[int]) -> 'RowIds':
    """Returns the ids of `rows` alone, in their order."""
    ids = [text.encode() for text in self.take(rows)]
    end = np.cumsum([len(text) for text in ids], dtype=np.int64)
    return RowIds(np.frombuffer(b''.join(ids), np.uint8), end)

  def _id(self, row: int) -> str:
    if not 0 <= row < len(self):
      raise IndexError(f'row {row} of {len(self)}')
    start, end = self._start[row : row + 2]
    return self._bytes[start:end].tobytes().decode()


def write_index(
  path: pathlib.Path, columns: Mapping[str, np.ndarray], ids: Sequence[str]
) -> None:
  """Writes the index of a split.

  Args:
    path: the file.
    columns: [N] each, of `INDEX_DTYPES` and, if rows share groups,
      `GROUP_DTYPES`.
    ids: the id of each of the N rows.
  """
  encoded = [text.encode() for text in ids]
  id_columns = {
    'id_bytes': np.frombuffer(b''.join(encoded), np.uint8),
    'id_end': np.cumsum([len(part) for part in encoded]),
  }
  everything = {
    name: column.astype(_DTYPES[name])
    for name, column in {**columns, **id_columns}.items()
  }
  np.savez(path, allow_pickle=False, **everything)


def read_index(
  path: pathlib.Path, *, num_rows: int, num_shards: int, num_classes: int
) -> tuple[dict[str, np.ndarray], RowIds | None]:
  """Reads the index of a split and checks that it fits the description.

  Args:
    path: the file.
    num_rows: N, the records of the split.
    num_shards: the shards of the split.
    num_classes: the classes of the dataset.

  Returns:
    The columns of `INDEX_DTYPES`, [N] each, `group` if the index has it, and
    the ids of the rows; None for the ids if the pack was made before indices
    held them.

  Raises:
    UserError: the index is missing, damaged, or of other data.
  """
  columns = _load_columns(path)
  label, shard, tag = columns['label'], columns['shard'], columns['tag']
  sound = (
    {len(columns[name]) for name in INDEX_DTYPES} == {num_rows}
    and (shard >= 0).all()
    and (shard < num_shards).all()
    and _is_between(columns['offset'], HEADER_BYTES, _LARGEST_SHARD)
    and _is_between(columns['length'], 0, _LARGEST_RECORD)
    and (label >= -1).all()
    and (label < num_classes).all()
    and np.isin(tag, (1, 2)).all()  # dropped rows are not packed
  )
  if not sound:
    raise damaged_file(path, f'it does not fit {DESCRIPTION}')
  group = columns.get('group')
  if group is not None and not (
    len(group) == num_rows and _is_between(group, 0, num_rows - 1)
  ):
    raise damaged_file(path, 'its groups do not fit its rows')
  ids = None
  if 'id_end' in columns:
    try:
      ids = RowIds(columns.pop('id_bytes'), columns.pop('id_end'))
    except ValueError as error:
      raise damaged_file(path, str(error)) from error
    if len(ids) != num_rows:
      raise damaged_file(path, f'{len(ids)} ids for {num_rows} rows')
  return columns, ids


def _is_between(column: np.ndarray, low: int, high: int) -> bool:
  return bool(((low <= column) & (column <= high)).all())


def _load_columns(path: pathlib.Path) -> dict[str, np.ndarray]:
  if not path.is_file():
    raise UserError(f'missing index: {path}; copy it here or pack again')
  try:
    columns = npz.read_npz(path, INDEX_DTYPES, ID_DTYPES, GROUP_DTYPES)
  except OSError as error:
    raise UserError(
      f'cannot read the index {path}: {error.strerror}; check the file'
    ) from error
  except npz.Damaged as error:
    raise damaged_file(path, str(error)) from error
  for name, column in columns.items():
    dtype = _DTYPES[name]
    if column.dtype != dtype or column.ndim != 1:
      raise damaged_file(
        path, f'column {name!r} is not a {np.dtype(dtype)} vector'
      )
  return columns
