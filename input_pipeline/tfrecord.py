"""TFRecord files without TensorFlow: framing, checksums, random access.

A record is `uint64 length | uint32 crc(length) | data | uint32 crc(data)`,
little-endian; the checksums are CRC-32C, rotated and shifted ("masked").
"""

import os
import struct
import threading
from collections.abc import Sequence
from typing import BinaryIO

import google_crc32c
import numpy as np

from input_pipeline.errors import UserError

HEADER_BYTES = 12
FOOTER_BYTES = 4
_MASK_DELTA = 0xA282EAD8


def masked_crc(data: bytes) -> int:
  """The CRC-32C of `data`, rotated right by 15 bits plus a constant, uint32."""
  crc = google_crc32c.value(data)
  return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
  """One record as it lies in the file: header, `data`, footer."""
  length = struct.pack('<Q', len(data))
  header = length + struct.pack('<I', masked_crc(length))
  return header + data + struct.pack('<I', masked_crc(data))


def write_record(file: BinaryIO, data: bytes) -> int:
  """Appends one record to an open file; returns the byte offset of its data."""
  offset = file.tell() + HEADER_BYTES
  file.write(frame(data))
  return offset


def scan_records(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
  """Finds the records of one file by reading the headers alone.

  Returns:
    (offset, length) of the data of every record, int64 [N], in bytes.

  Raises:
    UserError: a header's checksum is wrong, or the file ends inside a record.
  """
  name = os.fspath(path)
  offsets, lengths = [], []
  try:
    with open(name, 'rb') as file:
      size = os.fstat(file.fileno()).st_size
      position = 0
      while position < size:
        file.seek(position)
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
          raise _truncated(name, position + HEADER_BYTES, size)
        length = _checked_length(header, name, position)
        end = position + HEADER_BYTES + length + FOOTER_BYTES
        if end > size:
          raise _truncated(name, end, size)
        offsets.append(position + HEADER_BYTES)
        lengths.append(length)
        position = end
  except OSError as error:
    raise _unreadable(name, error) from error
  return np.array(offsets, np.int64), np.array(lengths, np.int64)


class TFRecordSource:
  """Random access to records by number; what `grain.MapDataset.source` takes.

  Every read verifies both checksums. Threads may share one object (reads carry
  their own position) and it pickles without its file descriptors.
  """

  def __init__(
    self,
    paths: Sequence[str | os.PathLike],
    shard: np.ndarray,
    offset: np.ndarray,
    length: np.ndarray,
  ) -> None:
    """Takes the index; opens nothing.

    Args:
      paths: the shards' paths.
      shard: int [N], the shard of each record.
      offset: int [N], the byte offset of each record's data in its shard.
      length: int [N], the number of bytes of each record's data.
    """
    self._paths = [os.fspath(path) for path in paths]
    self._shard = np.asarray(shard, np.int32)
    self._offset = np.asarray(offset, np.int64)
    self._length = np.asarray(length, np.int64)
    self._descriptors: dict[int, int] = {}
    self._lock = threading.Lock()

  def __len__(self) -> int:
    return len(self._offset)

  def __getitem__(self, index: int) -> bytes:
    """The data of record `index`.

    Raises:
      UserError: the record is corrupt or the shard truncated or gone.
    """
    shard = int(self._shard[index])
    length = int(self._length[index])
    start = int(self._offset[index]) - HEADER_BYTES
    name = self._paths[shard]
    wanted = HEADER_BYTES + length + FOOTER_BYTES
    try:
      descriptor = self._descriptor(shard)
      framed = os.pread(descriptor, wanted, start)
      if len(framed) < wanted:
        size = os.fstat(descriptor).st_size
        raise _truncated(name, start + wanted, size)
    except OSError as error:
      raise _unreadable(name, error) from error
    if _checked_length(framed[:HEADER_BYTES], name, start) != length:
      raise _corrupt(name, start, 'its length is not the one in the index')
    data = framed[HEADER_BYTES:-FOOTER_BYTES]
    (crc,) = struct.unpack('<I', framed[-FOOTER_BYTES:])
    if crc != masked_crc(data):
      raise _corrupt(name, start, "its data's checksum does not match")
    return data

  def _descriptor(self, shard: int) -> int:
    with self._lock:
      if shard not in self._descriptors:
        flags = os.O_RDONLY | os.O_CLOEXEC
        self._descriptors[shard] = os.open(self._paths[shard], flags)
      return self._descriptors[shard]

  def __getstate__(self) -> dict:
    # Descriptors and locks mean nothing in another process.
    return self.__dict__ | {'_descriptors': {}, '_lock': None}

  def __setstate__(self, state: dict) -> None:
    self.__dict__.update(state)
    self._lock = threading.Lock()

  def __del__(self) -> None:
    for descriptor in self.__dict__.get('_descriptors', {}).values():
      os.close(descriptor)

  def __repr__(self) -> str:
    # grain identifies a source by its repr when it checks a restored state.
    return f'TFRecordSource({len(self)} records, {len(self._paths)} shards)'


def _checked_length(header: bytes, name: str, position: int) -> int:
  length, crc = struct.unpack('<QI', header)
  if crc != masked_crc(header[:8]):
    raise _corrupt(name, position, "its header's checksum does not match")
  return length


def _corrupt(name: str, position: int, why: str) -> UserError:
  return UserError(
    f'corrupt record: {name}, byte offset {position}: {why}; pack the data '
    'again'
  )


def _truncated(name: str, expected: int, size: int) -> UserError:
  return UserError(
    f'truncated shard: {name} has {size} bytes, at least {expected} expected; '
    'pack the data again'
  )


def _unreadable(name: str, error: OSError) -> UserError:
  return UserError(f'cannot read the shard {name}: {error.strerror}')
