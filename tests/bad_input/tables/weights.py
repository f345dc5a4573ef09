"""Files of weights: foreign, damaged, malicious, or of another network."""

import json
import struct
import zipfile
from io import BytesIO

import numpy as np

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  fifo,
  file,
  link,
  nothing,
  packed,
  trained,
)
from bad_input.tables.commands import TRAIN
from helpers import torch_writer as torch


def _weights(name: str, make: Make | bytes, *words: str) -> Case:
  bad = make if callable(make) else file('w.pth', make)
  return Case(
    f'weights: {name}',
    f'{TRAIN} --config.model.init=w.pth',
    ('w.pth', *words),
    together(packed, bad),
  )


def _compared(name: str, make: Make | bytes, *words: str) -> Case:
  """Returns the case of a file that is told from the network's weights."""
  # The workdir is claimed before the network is built.
  return _weights(name, make, *words)._replace(leaves=('run', 'run/*'))


def _safetensors(header: object, data: bytes = b'', size: int = -1) -> bytes:
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  length = len(text) if size < 0 else size
  return struct.pack('<Q', length) + text + data


def _tensor(dtype='F32', shape=(2,), offsets=(0, 8)) -> dict:
  return {'a': {'dtype': dtype, 'shape': shape, 'data_offsets': offsets}}


def _npz(**parts: bytes) -> bytes:
  buffer = BytesIO()
  with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED, True, 1) as archive:
    for name, part in parts.items():
      archive.writestr(f'{name}.npy', part)
  return buffer.getvalue()


def _npy(shape: str, dtype: str = '<f4', data: bytes = b'') -> bytes:
  text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
  start = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text))
  return start + text.encode() + data


def _saved(array: np.ndarray) -> bytes:
  buffer = BytesIO()
  np.savez(buffer, a=array)
  return buffer.getvalue()


def _pickled(instructions: bytes) -> bytes:
  buffer = BytesIO()
  with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED, True, 1) as archive:
    archive.writestr('archive/data.pkl', instructions)
  return buffer.getvalue()


def _viewed(offset: int, shape: tuple, strides: tuple, size: int = 4) -> bytes:
  """Returns a file whose one tensor is a view of a storage of 4 numbers."""
  block = torch.storage('0', np.dtype(np.float32), size)
  view = torch.tensor(block, offset, shape, strides)
  blocks = {'0': np.zeros(4, np.float32)}
  return torch.zip_bytes({'conv1.weight': view}, blocks)


_SOUND = torch.zip_bytes(*torch.describe({'a': np.zeros(64, np.float32)}))
_LEGACY = torch.legacy_bytes(*torch.describe({'a': np.zeros(64, np.float32)}))
_SYSTEM = torch.name('os', 'system')
_TOUCH = torch.instructions(('touch executed',))

CASES = (
  _weights('none', nothing),
  _compared('a folder without a run', directory('w.pth')),
  _weights('a FIFO', fifo('w.pth')),
  _weights('endless', link('w.pth', '/dev/zero')),
  _weights('a link to nothing', link('w.pth', 'nowhere')),
  _weights('empty', b''),
  _weights('text', b'weights'),
  _weights('HTML of a failed download', b'<!DOCTYPE html><html></html>'),
  _weights('an LFS pointer', b'version https://git-lfs.github.com/spec/v1\n'),
  _weights('a PNG', b'\x89PNG\r\n\x1a\n' + bytes(99)),
  _weights('zeros', bytes(100_000)),
  _weights('HDF5 of Keras', b'\x89HDF\r\n\x1a\n' + bytes(99)),
  _weights('GGUF', b'GGUF' + bytes(99)),
  _weights('ONNX', b'\x08\x07\x12\x07pytorch' + bytes(99)),
  _weights('a plain pickle', b'\x80\x04\x95\x05\0\0\0\0\0\0\0\x8c\x01a\x94.'),
  _weights('a tar file', b'a' * 257 + b'ustar' + bytes(250)),
  Case(
    'weights: a URL',
    f'{TRAIN} --config.model.init=https://host/w.pth',
    ('https://host/w.pth',),
    packed,
  ),
  Case(
    'weights: a bucket',
    f'{TRAIN} --config.model.init=s3://bucket/w.pth',
    ('s3://bucket/w.pth',),
    packed,
  ),
  Case(
    'weights: a home that is not there',
    f'{TRAIN} --config.model.init=~nobody-here/w.pth',
    ('w.pth',),
    packed,
  ),
  Case(
    'weights: a run without that step',
    f'{TRAIN} --config.model.init=run/checkpoints/7 --workdir=other',
    ('run/checkpoints/7',),
    trained,
    trained=True,
  ),
  _weights('zip: cut', _SOUND[:-40]),
  _weights('zip: cut by half', _SOUND[: len(_SOUND) // 2]),
  _weights('zip: of nothing', b'PK\5\6' + bytes(18)),
  _weights('zip: an empty pickle', _pickled(b'')),
  _weights('zip: unpacks to 300 MB', _pickled(bytes(300_000_000))),
  _weights(
    'zip: a storage is missing',
    torch.zip_bytes(torch.describe({'a': np.zeros(4, np.float32)})[0], {}),
  ),
  _weights(
    'zip: a storage is shorter',
    torch.zip_bytes(
      torch.describe({'a': np.zeros(9, np.float32)})[0],
      {'0': np.zeros(4, np.float32)},
    ),
  ),
  _weights('zip: no tensors', torch.zip_bytes({'epoch': 3}, {})),
  _weights('zip: an empty dict', torch.zip_bytes({}, {})),
  _weights('zip: a list', torch.zip_bytes([1, 2], {})),
  _weights(
    'zip: names with escape sequences',
    torch.zip_bytes(*torch.describe({'\x1b[31m': np.zeros(4, np.float32)})),
  ),
  _compared(
    'zip: of another network',
    torch.zip_bytes(
      *torch.describe(
        {'encoder.layer.0.attention.weight': np.zeros((4, 4), np.float32)}
      )
    ),
  ),
  _weights('zip: a pickle of nothing', _pickled(b'.')),
  _weights(
    'pickle: calls a program',
    _pickled(b'\x80\x02' + _SYSTEM + _TOUCH + b'R.'),
    'system',
  ),
  _weights(
    'pickle: another name',
    _pickled(torch.pickle({'a': torch.name('builtins', 'eval')})),
    'eval',
  ),
  _weights('pickle: a stack underflow', _pickled(b'\x80\x02R.')),
  _weights('pickle: no end', _pickled(b'\x80\x02' + b'N' * 100)),
  _weights(
    'pickle: 20 million instructions',
    _pickled(b'\x80\x02' + b'(' * 20_000_000 + b'.'),
  ),
  _weights(
    'pickle: 20 million Nones',
    _pickled(b'\x80\x02]' + b'(' + b'N' * 20_000_000 + b'e.'),
  ),
  _weights(
    'pickle: deep lists',
    _pickled(b'\x80\x02' + b']' * 200_000 + b'a' * 199_999 + b'.'),
  ),
  _weights(
    'pickle: deep tuples', _pickled(b'\x80\x02)' + b'\x85' * 200_000 + b'.')
  ),
  _weights(
    'pickle: a dict that holds itself', _pickled(b'\x80\x02}q\0X\1\0\0\0ah\0s.')
  ),
  _weights(
    'pickle: a text of 10^15 bytes',
    _pickled(b'\x80\x04\x8d' + struct.pack('<Q', 10**15) + b'a.'),
  ),
  _weights(
    'pickle: a number of 10^9 digits',
    _pickled(b'\x80\x02\x8b' + struct.pack('<i', 2**30) + b'a.'),
  ),
  _weights(
    'pickle: a memo of 2^31',
    _pickled(b'\x80\x02Nr' + struct.pack('<I', 2**31) + b'.'),
  ),
  _weights(
    'tensor: of stride 0, 10^12 elements',
    _viewed(0, (10**6, 10**6), (0, 0)),
  ),
  _weights('tensor: negative strides', _viewed(3, (4,), (-1,))),
  _weights('tensor: a negative offset', _viewed(-1, (2,), (1,))),
  _weights('tensor: beyond its storage', _viewed(2, (4,), (1,))),
  _weights('tensor: a negative shape', _viewed(0, (-4,), (1,))),
  _weights('tensor: 10^18 elements', _viewed(0, (10**18,), (1,))),
  _weights('tensor: 70 axes', _viewed(0, (1,) * 70, (1,) * 70)),
  _weights(
    'tensor: a storage of 10^15 numbers',
    _viewed(0, (10**15,), (1,), size=10**15),
  ),
  _weights('legacy: cut', _LEGACY[:-40]),
  _weights('legacy: cut in a pickle', _LEGACY[:60]),
  _weights('legacy: magic alone', _LEGACY[:14]),
  _weights(
    'safetensors: a header of 10^15 bytes', _safetensors({}, size=10**15)
  ),
  _weights('safetensors: no tensors', _safetensors({})),
  _weights('safetensors: not JSON', _safetensors(b'{not json}')),
  _weights('safetensors: deep', _safetensors(b'{"a":' * 100_000)),
  _weights('safetensors: cut', _safetensors(_tensor(), b'abc')),
  _weights('safetensors: more data', _safetensors(_tensor(), bytes(99))),
  _weights(
    'safetensors: 2^60 elements',
    _safetensors(_tensor(shape=(2**60,), offsets=(0, 8)), bytes(8)),
  ),
  _weights(
    'safetensors: negative offsets',
    _safetensors(_tensor(offsets=(-8, 0)), bytes(8)),
  ),
  _weights(
    'safetensors: an unknown type', _safetensors(_tensor(dtype='X9'), bytes(8))
  ),
  _weights(
    'safetensors: an 8-bit float',
    _safetensors(_tensor(dtype='F8_E4M3', shape=(8,)), bytes(8)),
  ),
  _weights('npz: objects', _saved(np.array([None, {}], object))),
  _weights('npz: texts', _saved(np.array(['a', 'b']))),
  _weights('npz: complex numbers', _saved(np.zeros(4, complex))),
  _weights('npz: 10^15 numbers', _npz(a=_npy('(10**15,)'))),
  _weights('npz: 10^18 numbers', _npz(a=_npy('(1000000000000000000,)'))),
  _weights('npz: a negative shape', _npz(a=_npy('(-4,)'))),
  _weights(
    'npz: a shape of calls',
    _npz(a=_npy('(__import__("os").system("touch executed"),)')),
  ),
  _weights('npz: a deep header', _npz(a=_npy('(' * 5000 + ')' * 5000))),
  _weights('npz: version 9', _npz(a=b'\x93NUMPY\x09\x00' + bytes(20))),
  _compared('npz: nan', _saved(np.full(4, np.nan, np.float32))),
)
