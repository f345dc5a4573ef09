"""Reads the two formats of `torch.save`: a zip archive, and an older stream."""

import io
import struct
import zipfile

import numpy as np

from owdfa_jax.weights import unpickle
from owdfa_jax.weights.file_kinds import describe_archive
from owdfa_jax.weights.pickled_names import NoWeightsError, Storage, Tensor
from owdfa_jax.weights.state_dicts import find_tensors

# The older format starts with a pickle of this number.
MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b'\x80\x02\x8a\x0a' + MAGIC.to_bytes(10, 'little')
PICKLE_NAME = 'data.pkl'
_PROTOCOL = 1001


def read_zip(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
  """Reads `ROOT/data.pkl`, with its storages in `ROOT/data/KEY`.

  Raises:
    NoWeightsError: the archive is something else.
    ValueError, KeyError, zipfile.BadZipFile: the archive is damaged.
  """
  roots = [
    name.removesuffix(PICKLE_NAME)
    for name in archive.namelist()
    if name.split('/')[-1] == PICKLE_NAME
  ]
  if not roots:
    raise NoWeightsError(f'it is {describe_archive(archive.namelist())}')
  if len(roots) > 1:
    raise ValueError(f'{len(roots)} entries named {PICKLE_NAME}')
  (root,) = roots
  if any(name.startswith(f'{root}code/') for name in archive.namelist()):
    raise NoWeightsError(
      'it is a TorchScript archive: load it with torch.jit.load and save its '
      'state_dict() with torch.save'
    )
  swapped = False
  if f'{root}byteorder' in archive.namelist():
    swapped = archive.read(f'{root}byteorder') == b'big'
  content = io.BytesIO(archive.read(f'{root}{PICKLE_NAME}'))
  tensors = find_tensors(unpickle.read_pickle(content)[0])
  blocks = {}
  for storage in {tensor.storage for tensor in tensors.values()}:
    block = archive.read(f'{root}data/{storage.key}')
    if len(block) != storage.nbytes:
      raise ValueError(
        f'{len(block)} bytes instead of {storage.nbytes} in storage '
        f'{storage.key}'
      )
    blocks[storage] = swap_bytes(block, storage) if swapped else block
  return {
    name: tensor_view(blocks[tensor.storage], tensor)
    for name, tensor in tensors.items()
  }


def read_legacy(data: bytes) -> dict[str, np.ndarray]:
  """Reads a stream of pickles that is followed by raw storages.

  The pickles are a magic number, a version, facts about the machine, the
  object, and the keys of the storages. Each storage then has its number of
  elements (int64) and the elements, in the order of the keys. Numbers are
  little-endian, even if the facts about the machine say otherwise.

  Raises:
    NoWeightsError: there are no weights in the stream.
    ValueError, TypeError, KeyError, struct.error: the stream is damaged.
  """
  stream = io.BytesIO(data)
  start = [unpickle.read_pickle(stream)[0] for _ in range(3)]
  if start[:2] != [MAGIC, _PROTOCOL]:
    raise ValueError('unknown version of the format')
  saved, storages = unpickle.read_pickle(stream)
  keys, _ = unpickle.read_pickle(stream)
  blocks, position = {}, stream.tell()
  for key in keys:
    storage = storages[key]
    (size,) = struct.unpack_from('<q', data, position)
    position += 8
    if size != storage.size or position + storage.nbytes > len(data):
      raise ValueError(f'not {storage.size} elements in storage {storage.key}')
    blocks[storage] = memoryview(data)[position:][: storage.nbytes]
    position += storage.nbytes
  return {
    name: tensor_view(blocks[tensor.storage], tensor)
    for name, tensor in find_tensors(saved).items()
  }


def tensor_view(block: bytes | memoryview, tensor: Tensor) -> np.ndarray:
  """Returns a read-only view of a storage's bytes."""
  size = tensor.storage.dtype.itemsize
  return np.ndarray(
    tensor.shape,
    tensor.storage.dtype,
    block,
    tensor.offset * size,
    tuple(stride * size for stride in tensor.strides),
  )


def swap_bytes(block: bytes, storage: Storage) -> bytes:
  """Converts the elements of a storage to the other byte order."""
  return np.frombuffer(block, f'u{storage.dtype.itemsize}').byteswap().tobytes()
