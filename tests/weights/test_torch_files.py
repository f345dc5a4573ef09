"""Files of `torch.save`: real ones, all kinds of tensors, false claims."""

import zipfile

import numpy as np
import pytest

from helpers import torch_writer as torch
from helpers.paths import DATA
from helpers.weight_files import read_within, sample_weights, write_bytes
from input_pipeline.errors import UserError
from owdfa_jax.weights import readers
from owdfa_jax.weights.readers import read_weights

BLOCKS = {'0': np.arange(6, dtype=np.float32)}


def one_tensor(**changes):
  """Returns a state dict of one tensor [2, 3], and perhaps false claims."""
  claims = {'size': 6, 'offset': 0, 'shape': (2, 3), 'strides': (3, 1)}
  claims |= changes
  block = torch.storage('0', np.dtype(np.float32), claims.pop('size'))
  return {'weight': torch.tensor(block, *claims.values())}


@pytest.mark.parametrize('name', ['torch_zip.pth', 'torch_legacy.pth'])
def test_files_written_by_torch(name):
  # Written by torch 2.14.1 among other objects of a training script: the state
  # dict of a BatchNorm2d and, under `module.`, views and types of every kind.
  arrays = read_weights(DATA / name)
  block = np.arange(24, dtype=np.float32)
  small = np.arange(6).reshape(2, 3)
  expected = {
    'bn.weight': np.ones(3, np.float32),
    'bn.bias': np.zeros(3, np.float32),
    'bn.running_mean': np.zeros(3, np.float32),
    'bn.running_var': np.ones(3, np.float32),
    'bn.num_batches_tracked': np.array(0),
    'module.transposed': block.reshape(4, 6).T,
    'module.sliced': np.float32([5, 8, 11, 14]),
    'module.channels_last': block.reshape(1, 2, 3, 4),
    'module.expanded': np.ones(3, np.float32),
    'module.empty': np.zeros((0, 3), np.float32),
    'module.scalar': np.float32(2.5),
    'module.parameter': np.float32([0, 1, 2]),
  }
  types = map(np.dtype, [*torch.STORAGES][1:])
  expected |= {f'module.{dtype}': small.astype(dtype) for dtype in types}
  assert arrays.keys() == expected.keys()
  for title, value in expected.items():
    assert arrays[title].dtype == value.dtype, title
    np.testing.assert_array_equal(arrays[title], value, title)


@pytest.mark.parametrize(
  'wrap',
  [
    lambda state: {'epoch': 3, 'state_dict': state},
    lambda state: {'optimizer': {'lr': 0.1}, 'model': state},
    lambda state: {'model': {'model_state': state}},
    # Python 2 wrote an OrderedDict so.
    lambda state: torch.call(
      torch.name('collections', 'OrderedDict'),
      [list(pair) for pair in state.items()],
    ),
  ],
)
@pytest.mark.parametrize('pack', [torch.zip_bytes, torch.legacy_bytes])
def test_state_dict_inside_other_objects_is_found(tmp_path, wrap, pack):
  state, blocks = torch.describe(sample_weights())
  path = write_bytes(tmp_path, pack(wrap(state), blocks))
  result = read_weights(path)
  assert result.keys() == sample_weights().keys()
  np.testing.assert_array_equal(
    result['conv1.weight'], sample_weights()['conv1.weight']
  )


def test_tensors_can_share_a_storage(tmp_path):
  block = torch.storage('0', np.dtype(np.float32), 6)
  state = {
    'first': torch.tensor(block, 0, (2,), (1,)),
    'last': torch.tensor(block, 3, (3,), (1,)),
    'transposed': torch.tensor(block, 0, (3, 2), (1, 3)),
  }
  for pack in (torch.zip_bytes, torch.legacy_bytes):
    result = read_weights(write_bytes(tmp_path, pack(state, BLOCKS)))
    np.testing.assert_array_equal(result['first'], [0, 1])
    np.testing.assert_array_equal(result['last'], [3, 4, 5])
    np.testing.assert_array_equal(
      result['transposed'], [[0, 3], [1, 4], [2, 5]]
    )


def test_big_endian_storages(tmp_path):
  arrays = {'w': np.float32([1, 2.5]), 'v': np.int64([1, 2**40])}
  state, blocks = torch.describe(arrays)
  swapped = {key: array.byteswap() for key, array in blocks.items()}
  path = write_bytes(tmp_path, torch.zip_bytes(state, swapped, byteorder='big'))
  for title, value in read_weights(path).items():
    np.testing.assert_array_equal(value, arrays[title])


@pytest.mark.parametrize(
  ('claim', 'message'),
  [
    ({'size': 10**12}, '24 bytes|not 10+ elements'),
    ({'size': 10**12, 'shape': (10**6, 10**6)}, '24 bytes|not 10+ elements'),
    ({'size': 5, 'shape': (5,), 'strides': (1,)}, '24 bytes|not 5 elements'),
    ({'size': -6}, 'size of a storage'),
    ({'offset': 1}, 'inside its storage'),
    ({'offset': -1}, 'natural'),
    ({'offset': 10**20}, 'inside its storage'),
    ({'shape': (3, 3)}, 'inside its storage'),
    ({'shape': (2, -3)}, 'natural'),
    ({'shape': (2, 3, 1)}, 'axes'),
    ({'shape': (2, 3.0)}, 'natural'),
    ({'shape': (2**24,) * 3, 'strides': (0, 0, 0)}, 'no more elements'),
    ({'strides': (10**20, 1)}, 'inside its storage'),
    ({'strides': (-3, 1)}, 'natural'),
    ({'shape': (1,) * 70, 'strides': (1,) * 70}, 'axes'),
    ({'shape': (2**40,) * 2, 'strides': (0, 0)}, 'no more elements'),
    ({'shape': (10**22,), 'strides': (0,)}, 'no more elements'),
    ({'shape': (10**12,), 'strides': (0,)}, 'no more elements'),
    ({'shape': (10**12, 3), 'strides': (0, 1)}, 'no more elements'),
  ],
)
@pytest.mark.parametrize('pack', [torch.zip_bytes, torch.legacy_bytes])
def test_false_claims_about_a_tensor_are_errors(tmp_path, pack, claim, message):
  path = write_bytes(tmp_path, pack(one_tensor(**claim), BLOCKS))
  with pytest.raises(UserError, match=message):
    read_within(path, 2**20)


def test_storage_of_two_types_is_an_error(tmp_path):
  state = one_tensor() | {
    'other': torch.tensor(
      torch.storage('0', np.dtype(np.int32), 6), 0, (6,), (1,)
    )
  }
  for pack in (torch.zip_bytes, torch.legacy_bytes):
    with pytest.raises(UserError, match='one type'):
      read_weights(write_bytes(tmp_path, pack(state, BLOCKS)))


def test_missing_storage_is_an_error(tmp_path):
  for pack in (torch.zip_bytes, torch.legacy_bytes):
    with pytest.raises(UserError, match='0'):
      read_weights(write_bytes(tmp_path, pack(one_tensor(), {})))


@pytest.mark.parametrize(
  'compression', [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_bombs_are_errors(tmp_path, monkeypatch, compression):
  monkeypatch.setattr(readers, 'ALWAYS_ALLOWED', 2**20)
  array = np.zeros(2**20, np.float32)
  bomb = torch.zip_bytes(*torch.describe({'w': array}), compression=compression)
  assert len(bomb) < 2**14
  with pytest.raises(UserError, match='would unpack|unusual compression'):
    read_within(write_bytes(tmp_path, bomb), 2**20)


def test_compressed_archive_is_read(tmp_path):
  content = torch.zip_bytes(
    *torch.describe(sample_weights()), compression=zipfile.ZIP_DEFLATED
  )
  assert (
    read_weights(write_bytes(tmp_path, content)).keys()
    == sample_weights().keys()
  )
