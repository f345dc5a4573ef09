"""Reads untrusted files of weights in several formats."""

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

from input_pipeline.errors import UserError
from input_pipeline.files import absolute, read_regular
from owdfa_jax.weights import torch_files
from owdfa_jax.weights.file_kinds import describe_file
from owdfa_jax.weights.pickled_names import NoWeightsError, RefusedPickle

# An archive may unpack to MAX_EXPANSION times its size, and always to
# ALWAYS_ALLOWED bytes. Weights hardly compress, while a zip bomb expands a
# thousandfold.
MAX_EXPANSION = 20
ALWAYS_ALLOWED = 64 * 2**20
# The most bytes of a file, and of what it unpacks to.
MAX_BYTES = 4 << 30
# Replaces that limit, in MiB.
LIMIT_VARIABLE = 'OWDFA_MAX_WEIGHTS_MB'
_MAX_ENTRIES = 100_000
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
# The exceptions that a damaged file causes in the readers below.
_DAMAGE = (
  ValueError,
  TypeError,
  LookupError,
  EOFError,
  NotImplementedError,  # zipfile: an unknown compression or version
  RuntimeError,  # zipfile: encrypted
  OverflowError,
  struct.error,
  zlib.error,
  zipfile.BadZipFile,
  safetensors.SafetensorError,
)


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads the tensors of a file of weights, by their names in the file.

  Nothing in the file is executed.

  Args:
    path: a `.safetensors` or `.npz` file, or a state dict written by
      `torch.save` in its format of today or of before 2020, alone or under a
      usual name such as `state_dict`. The content decides, not the suffix.

  Returns:
    Arrays of any number type, often read-only views of one buffer. If the file
    has several state dicts, each name begins with the keys that lead to it.

  Raises:
    UserError: the file cannot be read, is damaged, has none of these formats,
      or contains a pickle that asks for anything but tensors.
  """
  shown = os.fspath(path)
  if '://' in shown:
    raise UserError(
      f'the weights cannot be read from a bucket or the web: {shown}; download '
      'the file and give its path (--config.model.init)'
    )
  try:
    data = read_regular(absolute(path), MAX_BYTES, LIMIT_VARIABLE)
  except OSError as error:
    raise UserError(
      f'the weights cannot be read: {shown} ({error.strerror or error}); '
      'give the path of a file (--config.model.init)'
    ) from error
  reader = choose_reader(data)
  if reader is None:
    kind = describe_file(data)
    raise UserError(
      f'not a file of weights: {shown}{kind and f" ({kind})"}; give a '
      '.safetensors, .npz, or PyTorch .pth file (--config.model.init)'
    )
  try:
    with warnings.catch_warnings():
      # The parsers warn about odd files; whatever is wrong becomes an error.
      warnings.simplefilter('ignore')
      arrays = reader(data)
    for name in arrays:
      if not name.isprintable():
        raise ValueError(f'the name {name!r}')
    if not arrays:
      raise NoWeightsError('it has no tensors')
    return arrays
  except NoWeightsError as error:
    raise UserError(
      f'no weights in the file: {shown} ({_printable(error)}); give a state '
      'dict in a .safetensors, .npz, or PyTorch .pth file (--config.model.init)'
    ) from error
  except RefusedPickle as error:
    raise UserError(
      f'the pickle contains more than weights: {shown} has '
      f'{_printable(error)}, which is not executed; save the state dict '
      'alone, torch.save(model.state_dict(), PATH), best as .safetensors'
    ) from error
  except _DAMAGE as error:
    raise UserError(
      f'the weights are damaged: {shown} ({_printable(error)}); download or '
      'copy the file again'
    ) from error


def _printable(error: Exception) -> str:
  """Returns the message, which may quote the file, safe for a terminal."""
  text = str(error)[:400]
  return ''.join(c if c.isprintable() else '?' for c in text)


def choose_reader(
  data: bytes,
) -> Callable[[bytes], dict[str, np.ndarray]] | None:
  """Returns the reader for a file that starts like `data`; None if unknown."""
  if data.startswith((b'PK\x03\x04', b'PK\x05\x06')):
    return read_archive
  if data.startswith(torch_files.LEGACY_START):
    return torch_files.read_legacy
  if data[8:9] == b'{':
    return read_safetensors
  return None


def read_archive(data: bytes) -> dict[str, np.ndarray]:
  """Reads a zip archive: one of `torch.save` or of `numpy.savez`.

  Raises:
    RefusedPickle: a pickle asks for anything but tensors.
    NoWeightsError: the archive is something else.
    ValueError: the archive would unpack to far more than its size. A damaged
      one may raise any of `_DAMAGE`.
  """
  # The library lists all entries in memory before any can be counted.
  if data.count(b'PK\x01\x02') > _MAX_ENTRIES:
    raise ValueError(f'more than {_MAX_ENTRIES:,} entries')
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
    entries = archive.infolist()
    for entry in entries:
      # The others can reserve gigabytes before the first byte is unpacked.
      if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f'unusual compression of {entry.filename}')
    size = sum(entry.file_size for entry in entries)
    if size > min(MAX_BYTES, max(ALWAYS_ALLOWED, MAX_EXPANSION * len(data))):
      raise ValueError(f'{len(data)} bytes would unpack to {size}')
    if any(entry.filename.endswith('.npy') for entry in entries):
      return {
        entry.filename.removesuffix('.npy'): read_npy(archive.read(entry))
        for entry in entries
      }
    return torch_files.read_zip(archive)


def read_npy(data: bytes) -> np.ndarray:
  """Reads a `.npy` file as a view of `data`.

  Raises:
    NoWeightsError: it contains something else than numbers.
    ValueError: it is damaged.
  """
  # `numpy.load` would reserve any size that the header claims.
  stream = io.BytesIO(data)
  version = np.lib.format.read_magic(stream)
  read_header = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
  }[version]
  shape, column_major, dtype = read_header(stream)
  if dtype.kind not in 'biuf':
    raise NoWeightsError(f'an array has elements of type {dtype}, not numbers')
  return np.ndarray(
    shape, dtype, data, stream.tell(), order='F' if column_major else 'C'
  )


def read_safetensors(data: bytes) -> dict[str, np.ndarray]:
  """Reads a `.safetensors` file; the library checks sizes and offsets.

  Raises:
    NoWeightsError: it has no tensors, or of types that the library alone knows.
    SafetensorError: it is damaged.
  """
  # Sorted below, because the library returns another order each time.
  entries = dict(safetensors.deserialize(data))
  others = {entry['dtype'] for entry in entries.values()} - _SAFETENSORS.keys()
  if others:
    raise NoWeightsError(f'it has tensors of type {", ".join(sorted(others))}')
  return {
    name: np.ndarray(
      entries[name]['shape'],
      _SAFETENSORS[entries[name]['dtype']],
      entries[name]['data'],
    )
    for name in sorted(entries)
  }
