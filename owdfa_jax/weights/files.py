"""Weights from files of several formats, none of which is trusted."""

import io
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable

import ml_dtypes
import numpy as np
import safetensors
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax.weights import torch_files
from owdfa_jax.weights.unpickle import Refused

# An archive may unpack to so many times its size, and to this much in any
# case: weights hardly shrink, a bomb does a thousandfold.
EXPANSION = 20
SMALL = 64 * 2**20
_SAFETENSORS = {
  'F64': np.float64,
  'F32': np.float32,
  'F16': np.float16,
  'BF16': ml_dtypes.bfloat16,
  'I64': np.int64,
  'I32': np.int32,
  'I16': np.int16,
  'I8': np.int8,
  'U8': np.uint8,
  'BOOL': np.bool_,
}
# What the readers stumble over in a damaged file.
_DAMAGE = (
  ValueError,
  TypeError,
  LookupError,
  EOFError,
  NotImplementedError,  # zipfile: a compression or version it does not know
  RuntimeError,  # zipfile: encrypted
  OverflowError,
  struct.error,
  zlib.error,
  zipfile.BadZipFile,
  safetensors.SafetensorError,
)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads the tensors of a file of weights, by the names they have in it.

  Args:
    path: `.safetensors`, `.npz`, or a state dict as `torch.save` writes it,
      now or before 2020, bare or under a usual name such as `state_dict`. The
      content decides, not the suffix.

  Returns:
    Arrays of any number type, often read-only views of one buffer.

  Raises:
    UserError: it cannot be read, is damaged, or is none of these; or a pickle
      in it asks for anything but tensors. Nothing in it is ever executed.
  """
  try:
    data = epath.Path(path).expanduser().read_bytes()
  except OSError as error:
    raise UserError(
      f'the weights cannot be read: {path} ({error.strerror or error}); '
      'give the path of a file (--config.model.init)'
    ) from error
  reader = choose_reader(data)
  if reader is None:
    raise UserError(
      f'not a file of weights: {path}; give a .safetensors, .npz, or '
      'PyTorch .pth file (--config.model.init)'
    )
  try:
    with warnings.catch_warnings():
      # Of oddities in what the parsers are given, not in what they do.
      warnings.simplefilter('ignore')
      arrays = reader(data)
    for name in arrays:
      if not name.isprintable():
        raise ValueError(f'the name {name!r}')
    return arrays
  except Refused as error:
    raise UserError(
      f'more than weights in a pickle: {path} has {_shown(error)}, which is '
      'not executed; save the state dict alone, best as .safetensors'
    ) from error
  except _DAMAGE as error:
    raise UserError(
      f'damaged weights: {path} ({_shown(error)}); fetch the file again'
    ) from error


def _shown(error: Exception) -> str:
  """What a terminal may be given of a message that may quote the file."""
  text = str(error)[:200]
  return ''.join(c if c.isprintable() else '?' for c in text)


def choose_reader(
  data: bytes,
) -> Callable[[bytes], dict[str, np.ndarray]] | None:
  """The reader for what the file begins with; None if nothing known."""
  if data.startswith(b'PK\x03\x04'):
    return read_archive
  if data.startswith(torch_files.LEGACY_START):
    return torch_files.read_legacy
  if data[8:9] == b'{':
    return read_safetensors
  return None


def read_archive(data: bytes) -> dict[str, np.ndarray]:
  """Reads a zip archive: one of `torch.save` or of `numpy.savez`.

  Raises:
    Refused, or one of `_DAMAGE`.
  """
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
    entries = archive.infolist()
    for entry in entries:
      # The others may reserve gigabytes before the first byte comes out.
      if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f'an unusual compression of {entry.filename}')
    size = sum(entry.file_size for entry in entries)
    if size > max(SMALL, EXPANSION * len(data)):
      raise ValueError(f'{len(data)} bytes would unpack to {size}')
    if any(entry.filename.endswith('.npy') for entry in entries):
      return {
        entry.filename.removesuffix('.npy'): read_npy(archive.read(entry))
        for entry in entries
      }
    return torch_files.read_zip(archive)


def read_npy(data: bytes) -> np.ndarray:
  """Reads a `.npy` file; `ValueError` if it is damaged or holds objects.

  `numpy.load` would reserve whatever size the header claims.
  """
  stream = io.BytesIO(data)
  version = np.lib.format.read_magic(stream)
  read_header = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
  }[version]
  shape, column_major, dtype = read_header(stream)
  if dtype.kind not in 'biuf':
    raise ValueError(f'elements of type {dtype}')
  return np.ndarray(
    shape, dtype, data, stream.tell(), order='F' if column_major else 'C'
  )


def read_safetensors(data: bytes) -> dict[str, np.ndarray]:
  """Reads a `.safetensors` file; the library checks sizes and offsets."""
  # It returns them in another order each time.
  entries = dict(safetensors.deserialize(data))
  return {
    name: np.ndarray(
      entries[name]['shape'],
      _SAFETENSORS[entries[name]['dtype']],
      entries[name]['data'],
    )
    for name in sorted(entries)
  }
