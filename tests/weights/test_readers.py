"""Files of weights in every format: intact, damaged, or something else."""

import functools
import pathlib
import struct
import tempfile
import zipfile

import hypothesis
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from helpers import torch_writer as torch
from helpers.paths import DATA
from helpers.weight_files import read_within, sample_weights, write_bytes
from input_pipeline.errors import UserError
from owdfa_jax.weights.readers import read_weights

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
# Names without the suffixes that files inside of archives have.
NAMES = st.from_regex(r'[a-z]{1,8}(\.[0-9a-z_]{1,4}){0,3}', fullmatch=True)


def examples(count):
  return hypothesis.settings(
    max_examples=count,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
  )


@pytest.mark.parametrize('name', WRITERS)
@examples(30)
@hypothesis.given(data=st.data())
def test_round_trip_is_exact(tmp_path, name, data):
  # NumPy's files cannot tell bfloat16 from other types of two bytes.
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
  result = read_weights(tmp_path / name)
  assert result.keys() == arrays.keys()
  for title, value in arrays.items():
    assert result[title].dtype == value.dtype
    assert result[title].shape == value.shape
    assert result[title].tobytes() == value.tobytes()


def test_bfloat16_of_safetensors(tmp_path):
  value = np.array([1.5, -2, 3e38], ml_dtypes.bfloat16)
  safetensors.numpy.save_file({'w': value}, tmp_path / 'w.safetensors')
  result = read_weights(tmp_path / 'w.safetensors')['w']
  assert result.dtype == value.dtype
  np.testing.assert_array_equal(result, value)


def test_column_major_npz(tmp_path):
  value = np.asfortranarray(np.arange(6).reshape(2, 3))
  np.savez(tmp_path / 'w.npz', w=value)
  np.testing.assert_array_equal(read_weights(tmp_path / 'w.npz')['w'], value)


def npy_file(header):
  """Returns a .npy file of that header, without elements."""
  header = header.encode().ljust(117) + b'\n'
  return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (
      npy_file("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 10**9)}"),
      '.',
    ),
    (
      npy_file("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999,)}"),
      '.',
    ),
    (
      npy_file("{'descr': '|O', 'fortran_order': False, 'shape': ()}"),
      'object',
    ),
    (npy_file("{'descr': '<U4', 'fortran_order': False, 'shape': ()}"), 'type'),
    (npy_file('__import__("os").system("touch executed")'), '.'),
    (b'\x93NUMPY\x07\x00' + b' ' * 64, '.'),
    (b'', '.'),
  ],
)
def test_wrong_headers_of_numpy_files_are_errors(
  tmp_path, monkeypatch, content, message
):
  monkeypatch.chdir(tmp_path)
  with zipfile.ZipFile('w.npz', 'w') as archive:
    archive.writestr('w.npy', content)
  with pytest.raises(UserError, match=message):
    read_within(tmp_path / 'w.npz', 2**20)
  assert not (tmp_path / 'executed').exists()


@functools.cache
def valid_files():
  """Returns the contents of an intact file of each format."""
  contents = [(DATA / 'torch_zip.pth').read_bytes()]
  with tempfile.TemporaryDirectory() as folder:
    for name, save in WRITERS.items():
      path = pathlib.Path(folder) / name
      save(path, sample_weights())
      contents.append(path.read_bytes())
  return contents


@examples(300)
@hypothesis.given(data=st.data())
def test_damaged_file_is_read_or_is_a_one_line_error(tmp_path, data):
  content = bytearray(valid_files()[data.draw(st.integers(0, len(WRITERS)))])
  for _ in range(data.draw(st.integers(1, 4))):
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255))
  end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
  try:
    result = read_weights(
      write_bytes(tmp_path, bytes(content[:end]), 'damaged')
    )
  except UserError as error:
    assert str(error).isprintable()
  else:
    assert all(isinstance(value, np.ndarray) for value in result.values())
    assert all(name.isprintable() for name in result)


@pytest.mark.parametrize('name', WRITERS)
def test_truncated_files_are_errors(tmp_path, name):
  WRITERS[name](tmp_path / name, sample_weights())
  content = (tmp_path / name).read_bytes()
  for end in range(0, len(content), 7):
    with pytest.raises(UserError):
      read_weights(write_bytes(tmp_path, content[:end]))


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  np.savez(tmp_path / 'w.npz', w=np.zeros(1))
  assert read_weights('~/w.npz').keys() == {'w'}


def test_files_without_weights_are_errors(tmp_path):
  with pytest.raises(UserError, match='cannot be read.*No such file'):
    read_weights(tmp_path / 'none.pth')
  with pytest.raises(UserError, match='cannot be read.*directory'):
    read_weights(tmp_path)
  for content in (b'', b'\xff\xd8\xff\xe0 a photograph', b'<html>'):
    with pytest.raises(UserError, match='not a file of weights'):
      read_weights(write_bytes(tmp_path, content))
