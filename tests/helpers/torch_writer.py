"""Writes files as `torch.save` does, and as it never would, without torch."""

import io
import pathlib
import struct
import zipfile

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
  'float32': 'FloatStorage',
  'float64': 'DoubleStorage',
  'float16': 'HalfStorage',
  'bfloat16': 'BFloat16Storage',
  'int64': 'LongStorage',
  'int32': 'IntStorage',
  'int16': 'ShortStorage',
  'int8': 'CharStorage',
  'uint8': 'ByteStorage',
  'bool': 'BoolStorage',
}


class Raw(bytes):
  """Instructions that leave one object on the stack."""


def name(module, attribute):
  return Raw(f'c{module}\n{attribute}\n'.encode())


def call(function, *arguments):
  return Raw(function + instructions(arguments) + b'R')


def storage(key, dtype, size, *view):
  pid = ('storage', name('torch', STORAGES[str(dtype)]), key, 'cpu', size)
  return Raw(instructions((*pid, *view)) + b'Q')


def tensor(block, offset, shape, strides):
  return call(
    name('torch._utils', '_rebuild_tensor_v2'),
    *(block, offset, shape, strides, False),
    call(name('collections', 'OrderedDict')),
  )


def instructions(value):
  """The pickle instructions that push a value."""
  match value:
    case Raw():
      return value
    case None:
      return b'N'
    case bool():
      return b'\x88' if value else b'\x89'
    case int():
      return b'\x8a\x0a' + value.to_bytes(10, 'little', signed=True)
    case float():
      return b'G' + struct.pack('>d', value)
    case str():
      text = value.encode()
      return b'X' + struct.pack('<I', len(text)) + text
    case tuple():
      return b'(' + b''.join(map(instructions, value)) + b't'
    case list():
      return b'](' + b''.join(map(instructions, value)) + b'e'
    case dict():
      items = [x for pair in value.items() for x in pair]
      return b'}(' + b''.join(map(instructions, items)) + b'u'
  raise TypeError(type(value))


def pickle(value):
  return b'\x80\x02' + instructions(value) + b'.'


def describe(arrays):
  """A state dict of arrays as instructions, and its storages by key."""
  described, blocks = {}, {}
  for number, (title, array) in enumerate(arrays.items()):
    strides = np.zeros(array.shape, np.int8).strides
    blocks[str(number)] = array
    described[title] = tensor(
      storage(str(number), array.dtype, array.size),
      0,
      array.shape,
      strides,
    )
  return described, blocks


def zip_bytes(value, blocks, root='archive', byteorder='little', **options):
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w', **options) as archive:
    archive.writestr(f'{root}/data.pkl', pickle(value))
    archive.writestr(f'{root}/byteorder', byteorder)
    for key, array in blocks.items():
      archive.writestr(f'{root}/data/{key}', array.tobytes())
    archive.writestr(f'{root}/version', '3\n')
  return buffer.getvalue()


def legacy_bytes(value, blocks):
  facts = {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {}}
  parts = [pickle(x) for x in (MAGIC, 1001, facts, value, list(blocks))]
  for array in blocks.values():
    parts += [struct.pack('<q', array.size), array.tobytes()]
  return b''.join(parts)


def save_zip(path, arrays):
  pathlib.Path(path).write_bytes(zip_bytes(*describe(arrays)))


def save_legacy(path, arrays):
  pathlib.Path(path).write_bytes(legacy_bytes(*describe(arrays)))
