"""Writes files of `torch.save` without PyTorch, also malicious ones."""

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
  """Pickle instructions that push one object."""


def name(module, attribute):
  """Returns instructions that push a name, such as a function's."""
  return Raw(f'c{module}\n{attribute}\n'.encode())


def call(function, *arguments):
  """Returns instructions that push the result of a call."""
  return Raw(function + instructions(arguments) + b'R')


def storage(key, dtype, size, *view):
  """Returns instructions that push a storage outside of the pickle."""
  pid = ('storage', name('torch', STORAGES[str(dtype)]), key, 'cpu', size)
  return Raw(instructions((*pid, *view)) + b'Q')


def tensor(block, offset, shape, strides):
  """Returns instructions that push a view of a storage."""
  return call(
    name('torch._utils', '_rebuild_tensor_v2'),
    *(block, offset, shape, strides, False),
    call(name('collections', 'OrderedDict')),
  )


def instructions(value):
  """Returns instructions that push a value."""
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
  """Returns the pickle of a value."""
  return b'\x80\x02' + instructions(value) + b'.'


def describe(arrays):
  """Returns a state dict of instructions, and its storages by key."""
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
  """Returns a file of today's format.

  Args:
    value: the saved object, perhaps with instructions in it.
    blocks: arrays of the storages by key.
    root: folder inside of the archive.
    byteorder: what the archive says about the storages.
    **options: of the archive.
  """
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w', **options) as archive:
    archive.writestr(f'{root}/data.pkl', pickle(value))
    archive.writestr(f'{root}/byteorder', byteorder)
    for key, array in blocks.items():
      archive.writestr(f'{root}/data/{key}', array.tobytes())
    archive.writestr(f'{root}/version', '3\n')
  return buffer.getvalue()


def legacy_bytes(value, blocks):
  """Returns a file of the format before 2020; see `zip_bytes`."""
  facts = {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {}}
  parts = [pickle(x) for x in (MAGIC, 1001, facts, value, list(blocks))]
  for array in blocks.values():
    parts += [struct.pack('<q', array.size), array.tobytes()]
  return b''.join(parts)


def save_zip(path, arrays):
  """Writes a state dict in today's format."""
  pathlib.Path(path).write_bytes(zip_bytes(*describe(arrays)))


def save_legacy(path, arrays):
  """Writes a state dict in the format before 2020."""
  pathlib.Path(path).write_bytes(legacy_bytes(*describe(arrays)))
