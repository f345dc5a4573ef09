"""TFRecord framing against grain's reader, and damage that is reported."""

import concurrent.futures
import pickle
import struct

import google_crc32c
import grain
import numpy as np
import pytest

from input_pipeline import tfrecord
from input_pipeline.errors import UserError

RECORDS = [b'', b'a', b'b' * 1000, bytes(range(256)) * 40, b'end']


@pytest.fixture
def shards(tmp_path):
  """Returns the paths of two shards, with the records in turn, and a source."""
  paths = [tmp_path / 'x-0', tmp_path / 'x-1']
  index = []
  for shard, path in enumerate(paths):
    with open(path, 'wb') as file:
      for number in range(shard, len(RECORDS), 2):
        offset = tfrecord.write_record(file, RECORDS[number])
        index.append((number, shard, offset, len(RECORDS[number])))
  _, shard, offset, length = np.array(sorted(index)).T
  return paths, tfrecord.TFRecordSource(paths, shard, offset, length)


def test_the_checksum_is_crc32c_masked():
  crc = google_crc32c.value(b'123456789')
  assert crc == 0xE3069283
  rotated = ((crc >> 15) | (crc << 17)) % 2**32
  assert tfrecord.masked_crc(b'123456789') == (rotated + 0xA282EAD8) % 2**32


def test_a_record_is_framed_by_length_and_checksums():
  framed = tfrecord.frame_record(b'abc')
  assert framed[:8] == struct.pack('<Q', 3)
  assert framed[8:12] == struct.pack('<I', tfrecord.masked_crc(framed[:8]))
  assert framed[12:15] == b'abc'
  assert framed[15:] == struct.pack('<I', tfrecord.masked_crc(b'abc'))


def test_grain_reads_the_same_bytes(shards):
  paths, _ = shards
  for shard, path in enumerate(paths):
    read = grain.experimental.TFRecordIterDataset(str(path))
    assert list(read) == RECORDS[shard::2]


def test_random_access_in_any_order(shards):
  _, source = shards
  assert len(source) == len(RECORDS)
  for number in [3, 0, 4, 1, 2, 3]:
    assert source[number] == RECORDS[number]
  assert source[np.int64(-1)] == RECORDS[-1]


def test_several_records_in_any_order(shards):
  _, source = shards
  order = np.array([3, 0, 4, 1, 2, 3, -1])
  assert list(source.read(order)) == [RECORDS[i] for i in order]
  assert list(source.read(order[:0])) == []


def test_reading_goes_on_after_a_damaged_record(shards):
  paths, source = shards
  flip(paths[0], 28)
  records = source.read(np.array([0, 2, 4]))
  assert next(records) == RECORDS[0]
  with pytest.raises(UserError, match='byte offset 16'):
    next(records)
  assert next(records) == RECORDS[4]


def test_grain_maps_over_the_source(shards):
  _, source = shards
  dataset = grain.MapDataset.source(source).map(len)
  assert list(dataset) == [len(record) for record in RECORDS]


def test_a_source_pickles_without_descriptors(shards):
  _, source = shards
  assert source[0] == RECORDS[0]
  copy = pickle.loads(pickle.dumps(source))
  del source
  assert [copy[i] for i in range(len(copy))] == RECORDS


def test_threads_share_a_source(shards):
  _, source = shards
  numbers = [i % len(RECORDS) for i in range(500)]
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    read = list(pool.map(source.__getitem__, numbers))
  assert read == [RECORDS[i] for i in numbers]


def flip(path, position):
  data = bytearray(path.read_bytes())
  data[position] ^= 1
  path.write_bytes(data)


# Record 2 is the second of shard 0; the first takes 16 bytes.
@pytest.mark.parametrize(
  ('position', 'what'),
  [
    (16, 'header'),
    (24, 'header'),
    (28, 'data'),
    (28 + 999, 'data'),
    (28 + 1000, 'data'),
  ],
)
def test_a_flipped_bit_is_reported_with_its_offset(shards, position, what):
  paths, source = shards
  flip(paths[0], position)
  with pytest.raises(UserError) as error:
    source[2]
  message = str(error.value)
  assert f'corrupt record: {paths[0]}, byte offset 16: ' in message
  assert what in message
  assert source[0] == RECORDS[0]
  assert source[4] == RECORDS[4]


@pytest.mark.parametrize('cut', [1, 4, 5, 18])
def test_truncation_is_reported_with_both_sizes(shards, cut):
  paths, source = shards
  size = paths[0].stat().st_size
  with open(paths[0], 'r+b') as file:
    file.truncate(size - cut)
  message = f'truncated shard: {paths[0]} has {size - cut} bytes'
  with pytest.raises(UserError, match=message) as error:
    source[4]
  assert f'{size} expected' in str(error.value)


def test_an_index_of_another_file_is_reported(shards):
  paths, source = shards
  other = tfrecord.TFRecordSource(paths, [0], [12], [1])
  with pytest.raises(UserError, match='not the one in the index'):
    other[0]


def test_a_missing_shard_is_named(shards):
  paths, source = shards
  paths[1].unlink()
  with pytest.raises(UserError, match=f'{paths[1]}: No such file'):
    source[1]
