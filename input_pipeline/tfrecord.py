"""TFRecord files without TensorFlow: framing, checksums, random access.

A record is `uint64 length | uint32 crc(length) | data | uint32 crc(data)`,
little-endian. The checksums are CRC-32C, "masked": rotated, plus a constant.
"""

import functools
import os
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import google_crc32c
import numpy as np

from input_pipeline.errors import UserError

HEADER_BYTES = 12
FOOTER_BYTES = 4
_MASK_DELTA = 0xA282EAD8
_UINT32 = struct.Struct('<I')


def masked_crc(data: bytes) -> int:
  """Returns the masked CRC-32C of `data`, a uint32."""
  crc = google_crc32c.value(data)
  return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def frame_record(data: bytes) -> bytes:
  """Returns a record as it is in the file: header, `data`, footer."""
  return _header(len(data)) + data + _UINT32.pack(masked_crc(data))


# Records of equal lengths have equal headers.
@functools.lru_cache(maxsize=4096)
def _header(length: int) -> bytes:
  words = struct.pack('<Q', length)
  return words + _UINT32.pack(masked_crc(words))


def write_record(file: BinaryIO, data: bytes) -> int:
  """Appends one record to an open file; returns the byte offset of its data."""
  offset = file.tell() + HEADER_BYTES
  file.write(frame_record(data))
  return offset


class TFRecordSource:
  """Random access to records by number, as `grain.MapDataset.source` needs it.

  Every read verifies both checksums. Threads may share a source, since reads
  state their position. A source pickles without its file descriptors.
  """

  def __init__(
    self,
    paths: Sequence[str | os.PathLike],
    shard: np.ndarray,
    offset: np.ndarray,
    length: np.ndarray,
  ) -> None:
    """Keeps the index; files are opened at the first read.

    Args:
      paths: the paths of the shards.
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

  def select(self, rows: np.ndarray) -> 'TFRecordSource':
    """Returns a source of some of the records.

    Args:
      rows: int [M], the indices of the records, in the order to have them.
    """
    return TFRecordSource(
      self._paths, self._shard[rows], self._offset[rows], self._length[rows]
    )

  def __getitem__(self, index: int) -> bytes:
    """Returns the data of record `index`.

    Raises:
      UserError: the record is corrupt, or the shard is truncated or missing.
    """
    shard, offset = int(self._shard[index]), int(self._offset[index])
    return self._read(shard, offset, int(self._length[index]))

  def read(self, rows: np.ndarray) -> Iterator[bytes]:
    """Yields the data of several records, faster than one by one.

    Args:
      rows: int [M], the indices of the records, in the order to have them.

    Raises:
      UserError: a record is corrupt, or a shard is truncated or missing.
    """
    shard, offset = self._shard[rows].tolist(), self._offset[rows].tolist()
    return map(self._read, shard, offset, self._length[rows].tolist())

  def _read(self, shard: int, offset: int, length: int) -> bytes:
    """Returns the data of a record; runs for every image that is read."""
    wanted = HEADER_BYTES + length + FOOTER_BYTES
    try:
      descriptor = self._descriptors[shard]
    except KeyError:
      descriptor = self._open(shard)
    try:
      # pread states the position, so threads need no lock around a seek.
      framed = os.pread(descriptor, wanted, offset - HEADER_BYTES)
    except OSError as error:
      raise _unreadable(self._paths[shard], error) from error
    if len(framed) == wanted and framed.startswith(_header(length)):
      data = framed[HEADER_BYTES:-FOOTER_BYTES]
      (crc,) = _UINT32.unpack_from(framed, HEADER_BYTES + length)
      if crc == masked_crc(data):
        return data
    raise self._damage(shard, offset - HEADER_BYTES, wanted, framed)

  def _damage(
    self, shard: int, start: int, wanted: int, framed: bytes
  ) -> UserError:
    """Returns what is wrong with a record.

    Args:
      shard: its shard.
      start: where it begins in the shard, in bytes.
      wanted: its bytes, with header and footer.
      framed: the bytes that were read.
    """
    name = self._paths[shard]
    if len(framed) < wanted:
      try:
        size = os.fstat(self._descriptors[shard]).st_size
      except OSError as error:
        return _unreadable(name, error)
      return _truncated(name, start + wanted, size)
    if framed.startswith(_header(wanted - HEADER_BYTES - FOOTER_BYTES)):
      return _corrupt(name, start, "its data's checksum does not match")
    return _corrupt(name, start, _wrong_header(framed[:HEADER_BYTES]))

  def _open(self, shard: int) -> int:
    with self._lock:
      if shard not in self._descriptors:
        # Closed in child processes, which open the shards themselves.
        flags = os.O_RDONLY | os.O_CLOEXEC
        try:
          self._descriptors[shard] = os.open(self._paths[shard], flags)
        except OSError as error:
          raise _unreadable(self._paths[shard], error) from error
      return self._descriptors[shard]

  def __getstate__(self) -> dict:
    # File descriptors and locks are not valid in another process.
    return self.__dict__ | {'_descriptors': {}, '_lock': None}

  def __setstate__(self, state: dict) -> None:
    self.__dict__.update(state)
    self._lock = threading.Lock()

  def __del__(self, close: Callable[[int], None] = os.close) -> None:
    # An argument, since `os` may be gone when the interpreter ends.
    for descriptor in self.__dict__.get('_descriptors', {}).values():
      close(descriptor)

  def __repr__(self) -> str:
    # grain compares reprs when it checks a restored state.
    return f'TFRecordSource({len(self)} records, {len(self._paths)} shards)'


def _wrong_header(header: bytes) -> str:
  """Returns why a header is not the one that the index asks for."""
  if _UINT32.unpack_from(header, 8)[0] != masked_crc(header[:8]):
    return "its header's checksum does not match"
  return 'its length is not the one in the index'


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
  return UserError(
    f'cannot read the shard {name}: {error.strerror}; copy it again or pack '
    'again'
  )
