"""Files of weights: real ones, well-formed ones, damaged and malicious ones."""

import functools
import io
import os
import pathlib
import pickle
import struct
import tempfile
import tracemalloc
import zipfile

import hypothesis
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import torch_writer as torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from input_pipeline.errors import UserError
from owdfa_jax.weights import files
from owdfa_jax.weights.files import read

DATA = pathlib.Path(__file__).parent / 'data'
DTYPES = [*map(np.dtype, torch.STORAGES)]
WRITERS = {
  'weights.npz': lambda path, arrays: np.savez(path, **arrays),
  'small.npz': lambda path, arrays: np.savez_compressed(path, **arrays),
  'weights.safetensors': lambda path, arrays: safetensors.numpy.save_file(
    arrays, path
  ),
  'weights.pth': torch.save_zip,
  'legacy.pth': torch.save_legacy,
}
# No name ends in a suffix of files inside archives.
NAMES = st.from_regex(r'[a-z]{1,8}(\.[0-9a-z_]{1,4}){0,3}', fullmatch=True)


def draws(count):
  return hypothesis.settings(
    max_examples=count,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
  )


def sample():
  return {
    'conv1.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    'bn1.num_batches_tracked': np.array(3, np.int64),
  }


def write(folder, content, name='weights.pth'):
  path = folder / name
  path.write_bytes(content)
  return path


def one_tensor(**changes):
  """A state dict whose one tensor [2, 3] may be told lies about."""
  lies = {'size': 6, 'offset': 0, 'shape': (2, 3), 'strides': (3, 1)} | changes
  block = torch.storage('0', np.dtype(np.float32), lies.pop('size'))
  return {'weight': torch.tensor(block, *lies.values())}


BLOCKS = {'0': np.arange(6, dtype=np.float32)}


@pytest.mark.parametrize('name', ['torch_zip.pth', 'torch_legacy.pth'])
def test_files_of_torch_itself(name):
  # Written by torch 2.14.1: a BatchNorm2d's state dict and, with the prefix,
  # views and types of every kind, among a training script's other things.
  arrays = read(DATA / name)
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
  expected |= {f'module.{dtype}': small.astype(dtype) for dtype in DTYPES[1:]}
  assert arrays.keys() == expected.keys()
  for title, value in expected.items():
    assert arrays[title].dtype == value.dtype, title
    np.testing.assert_array_equal(arrays[title], value, title)


@pytest.mark.parametrize('name', WRITERS)
@draws(30)
@hypothesis.given(data=st.data())
def test_round_trip_is_exact(tmp_path, name, data):
  # NumPy's files do not say what the two bytes of a bfloat16 mean.
  dtypes = [d for d in DTYPES if d != ml_dtypes.bfloat16 or 'npz' not in name]
  shape = numpy_strategies.array_shapes(min_dims=0, max_dims=4, max_side=3)

  def array(dtype, shape):
    size = dtype.itemsize * int(np.prod(shape))
    content = data.draw(st.binary(min_size=size, max_size=size))
    if dtype.kind == 'b':
      content = bytes(byte % 2 for byte in content)
    return np.frombuffer(content, dtype).reshape(shape)

  arrays = {
    title: array(data.draw(st.sampled_from(dtypes)), data.draw(shape))
    for title in data.draw(st.sets(NAMES, min_size=1, max_size=4))
  }
  WRITERS[name](tmp_path / name, arrays)
  result = read(tmp_path / name)
  assert result.keys() == arrays.keys()
  for title, value in arrays.items():
    assert result[title].dtype == value.dtype
    assert result[title].shape == value.shape
    assert result[title].tobytes() == value.tobytes()


def test_bfloat16_of_safetensors(tmp_path):
  value = np.array([1.5, -2, 3e38], ml_dtypes.bfloat16)
  safetensors.numpy.save_file({'w': value}, tmp_path / 'w.safetensors')
  result = read(tmp_path / 'w.safetensors')['w']
  assert result.dtype == value.dtype
  np.testing.assert_array_equal(result, value)


def test_column_major_npz(tmp_path):
  value = np.asfortranarray(np.arange(6).reshape(2, 3))
  np.savez(tmp_path / 'w.npz', w=value)
  np.testing.assert_array_equal(read(tmp_path / 'w.npz')['w'], value)


@pytest.mark.parametrize(
  'wrap',
  [
    lambda state: {'epoch': 3, 'state_dict': state},
    lambda state: {'optimizer': {'lr': 0.1}, 'model': state},
    lambda state: {'model': {'model_state': state}},
    # Python 2's way of writing an OrderedDict.
    lambda state: torch.call(
      torch.name('collections', 'OrderedDict'),
      [list(pair) for pair in state.items()],
    ),
  ],
)
@pytest.mark.parametrize('pack', [torch.zip_bytes, torch.legacy_bytes])
def test_wrapped_state_dicts(tmp_path, wrap, pack):
  state, blocks = torch.describe(sample())
  path = write(tmp_path, pack(wrap(state), blocks))
  result = read(path)
  assert result.keys() == sample().keys()
  np.testing.assert_array_equal(
    result['conv1.weight'], sample()['conv1.weight']
  )


def test_tensors_share_a_storage(tmp_path):
  block = torch.storage('0', np.dtype(np.float32), 6)
  state = {
    'first': torch.tensor(block, 0, (2,), (1,)),
    'last': torch.tensor(block, 3, (3,), (1,)),
    'transposed': torch.tensor(block, 0, (3, 2), (1, 3)),
  }
  for pack in (torch.zip_bytes, torch.legacy_bytes):
    result = read(write(tmp_path, pack(state, BLOCKS)))
    np.testing.assert_array_equal(result['first'], [0, 1])
    np.testing.assert_array_equal(result['last'], [3, 4, 5])
    np.testing.assert_array_equal(
      result['transposed'], [[0, 3], [1, 4], [2, 5]]
    )


def test_big_endian_storages(tmp_path):
  arrays = {'w': np.float32([1, 2.5]), 'v': np.int64([1, 2**40])}
  state, blocks = torch.describe(arrays)
  swapped = {key: array.byteswap() for key, array in blocks.items()}
  path = write(tmp_path, torch.zip_bytes(state, swapped, byteorder='big'))
  for title, value in read(path).items():
    np.testing.assert_array_equal(value, arrays[title])


class Malicious:
  """Unpickling runs `function(*arguments)`."""

  def __init__(self, function, *arguments):
    self.reduced = function, arguments

  def __reduce__(self):
    return self.reduced


class Attributes:
  """Unpickling sets attributes, or calls `__setstate__`."""

  def __init__(self):
    self.attribute = 1


def containers(pickled):
  """A pickle as the object of either container."""
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    archive.writestr('archive/data.pkl', pickled)
  start = b''.join(map(torch.pickle, (torch.MAGIC, 1001, {})))
  return buffer.getvalue(), start + pickled + torch.pickle([])


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize(
  ('value', 'named'),
  [
    (Malicious(os.system, 'touch executed'), 'posix.system'),
    (Malicious(eval, 'open("executed", "w")'), 'eval'),
    (Malicious(exec, 'open("executed", "w")'), 'exec'),
    (Malicious(getattr, 'text', 'join'), 'getattr'),
    (Attributes(), 'Attributes'),
    (np.float64(1.0), 'scalar'),
  ],
)
def test_refuses_to_run_anything(tmp_path, monkeypatch, protocol, value, named):
  monkeypatch.chdir(tmp_path)
  for content in containers(pickle.dumps({'state_dict': value}, protocol)):
    with pytest.raises(UserError, match=named) as caught:
      read(write(tmp_path, content))
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'executed').exists()


SYSTEM = torch.name('os', 'system')
HARMLESS = torch.name('collections', 'OrderedDict')


@pytest.mark.parametrize(
  ('instructions', 'message'),
  [
    (b'ios\nsystem\n.', 'INST'),
    (b'(' + SYSTEM + b'o.', 'os.system'),
    (HARMLESS + b')\x81.', 'NEWOBJ'),
    (b'\x82\x01.', 'EXT1'),
    (HARMLESS + b')R}b.', 'no state dict'),  # attributes of a dict: dropped
    (HARMLESS + b'}b.', 'attributes'),
    (b'](X\x01\x00\x00\x00ae}b.', 'attributes'),
    (b')' + b')R.', 'a function'),
    (HARMLESS + b']R.', 'arguments'),
    (torch.name('torch', 'FloatStorage') + b')R.', 'a function'),
    (torch.name('torch._utils', '_rebuild_tensor_v2.__globals__') + b'.', 'gl'),
    (b'})Ns.', 'key of a dict'),
    (b'}' + b')' + b'\x85' * 50_000 + b'Ns.', 'key of a dict'),
    (b'\x85.', 'tuple'),
    (b'.', 'pop'),
    (b'(.', 'pop'),
    (b't.', 'pop'),
    (b'h\x05.', '5'),
    (b'(Nu.', 'index'),
    (b'}(Nu.', 'a dict'),
    (b'Nq\x00h\x00a.', 'a list'),
    (torch.instructions(('module', 'code')) + b'Q.', 'outside the pickle'),
    (b'\x8a\xff', 'not enough data'),
    (b'\x80\x02N', 'exhausted'),
    (b'c\x1b[2J\x0b\nname\n.', r'the name \?\[2J\?\.name'),
  ],
)
def test_odd_instructions(tmp_path, instructions, message):
  for content in containers(instructions):
    with pytest.raises(UserError, match=message):
      read(write(tmp_path, content))


def test_dict_inside_itself_comes_to_an_end(tmp_path):
  name = torch.instructions('model')
  for content in containers(b'}q\x00' + name + b'h\x00s.'):
    with pytest.raises(UserError, match='no state dict'):
      read(write(tmp_path, content))


def test_list_named_often_does_not_fill_the_memory(tmp_path):
  pairs = torch.instructions([[f'{i}', None] for i in range(3000)])
  copy = HARMLESS + b'h\x00\x85R'
  pickled = pairs + b'q\x00(' + 3000 * copy + b't.'
  for content in containers(pickled):
    with pytest.raises(UserError, match='no state dict'):
      measured_read(write(tmp_path, content), 64 * 2**20)


def measured_read(path, limit):
  tracemalloc.start()
  try:
    return read(path)
  finally:
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < limit


@pytest.mark.parametrize(
  ('lie', 'message'),
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
    ({'strides': (10**20, 1)}, 'inside its storage'),
    ({'strides': (-3, 1)}, 'natural'),
    ({'shape': (1,) * 70, 'strides': (1,) * 70}, 'axes'),
    ({'shape': (2**40,) * 2, 'strides': (0, 0)}, '.'),
    ({'shape': (10**22,), 'strides': (0,)}, '.'),
  ],
)
@pytest.mark.parametrize('pack', [torch.zip_bytes, torch.legacy_bytes])
def test_lies_about_a_tensor(tmp_path, pack, lie, message):
  path = write(tmp_path, pack(one_tensor(**lie), BLOCKS))
  with pytest.raises(UserError, match=message):
    measured_read(path, 2**20)


def test_one_storage_of_two_types(tmp_path):
  state = one_tensor() | {
    'other': torch.tensor(
      torch.storage('0', np.dtype(np.int32), 6), 0, (6,), (1,)
    )
  }
  for pack in (torch.zip_bytes, torch.legacy_bytes):
    with pytest.raises(UserError, match='one type'):
      read(write(tmp_path, pack(state, BLOCKS)))


def test_storage_that_is_not_there(tmp_path):
  for pack in (torch.zip_bytes, torch.legacy_bytes):
    with pytest.raises(UserError, match='0'):
      read(write(tmp_path, pack(one_tensor(), {})))


def npy(header):
  header = header.encode().ljust(117) + b'\n'
  return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 10**9)}"), '.'),
    (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999,)}"), '.'),
    (npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}"), 'object'),
    (npy("{'descr': '<U4', 'fortran_order': False, 'shape': ()}"), 'type'),
    (npy('__import__("os").system("touch executed")'), '.'),
    (b'\x93NUMPY\x07\x00' + b' ' * 64, '.'),
    (b'', '.'),
  ],
)
def test_lies_in_numpy_files(tmp_path, monkeypatch, content, message):
  monkeypatch.chdir(tmp_path)
  with zipfile.ZipFile('w.npz', 'w') as archive:
    archive.writestr('w.npy', content)
  with pytest.raises(UserError, match=message):
    measured_read(tmp_path / 'w.npz', 2**20)
  assert not (tmp_path / 'executed').exists()


@pytest.mark.parametrize(
  'compression', [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_bombs(tmp_path, monkeypatch, compression):
  monkeypatch.setattr(files, 'SMALL', 2**20)
  array = np.zeros(2**20, np.float32)
  bomb = torch.zip_bytes(*torch.describe({'w': array}), compression=compression)
  assert len(bomb) < 2**14
  with pytest.raises(UserError, match='would unpack|unusual compression'):
    measured_read(write(tmp_path, bomb), 2**20)


def test_compressed_archive_within_reason(tmp_path):
  content = torch.zip_bytes(
    *torch.describe(sample()), compression=zipfile.ZIP_DEFLATED
  )
  assert read(write(tmp_path, content)).keys() == sample().keys()


@functools.cache
def valid():
  contents = [(DATA / 'torch_zip.pth').read_bytes()]
  with tempfile.TemporaryDirectory() as folder:
    for name, save in WRITERS.items():
      path = pathlib.Path(folder) / name
      save(path, sample())
      contents.append(path.read_bytes())
  return contents


@draws(300)
@hypothesis.given(data=st.data())
def test_any_damage_is_one_line_or_goes_unnoticed(tmp_path, data):
  content = bytearray(valid()[data.draw(st.integers(0, len(WRITERS)))])
  for _ in range(data.draw(st.integers(1, 4))):
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
  end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
  try:
    result = read(write(tmp_path, bytes(content[:end]), 'damaged'))
  except UserError as error:
    assert str(error).isprintable()
  else:
    assert all(isinstance(value, np.ndarray) for value in result.values())
    assert all(name.isprintable() for name in result)


@pytest.mark.parametrize('name', WRITERS)
def test_truncated_files(tmp_path, name):
  WRITERS[name](tmp_path / name, sample())
  content = (tmp_path / name).read_bytes()
  for end in range(0, len(content), 7):
    with pytest.raises(UserError):
      read(write(tmp_path, content[:end]))


def test_home_folder(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  np.savez(tmp_path / 'w.npz', w=np.zeros(1))
  assert read('~/w.npz').keys() == {'w'}


def test_files_that_are_something_else(tmp_path):
  with pytest.raises(UserError, match='cannot be read.*No such file'):
    read(tmp_path / 'none.pth')
  with pytest.raises(UserError, match='cannot be read.*directory'):
    read(tmp_path)
  for content in (b'', b'\xff\xd8\xff\xe0 a photograph', b'<html>'):
    with pytest.raises(UserError, match='not a file of weights'):
      read(write(tmp_path, content))
