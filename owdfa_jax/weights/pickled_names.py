"""What the pickle of a state dict may name: constructors and types of storages.

The functions here stand in for PyTorch's and check every argument, because a
file may claim anything.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

_MAX_AXES = 64
# An expanded tensor repeats its elements; a bias may, but not without end.
_MAX_REPEATED = 2**20


class RefusedPickle(ValueError):
  """The pickle asks for something that weights do not need."""


class NoWeightsError(ValueError):
  """The file is sound, but does not hold weights."""


class SkippedObject:
  """Stands for an object whose content is dropped."""


def expect(holds: bool, what: str) -> None:
  """Raises `ValueError` about `what` unless `holds`."""
  if not holds:
    raise ValueError(f'the pickle has something else for {what}')


@dataclasses.dataclass(frozen=True)
class Storage:
  """A block of numbers that the file stores outside of the pickle.

  Attributes:
    key: its name in the file.
    dtype: type of its elements, in the machine's byte order.
    size: number of its elements.
  """

  key: str
  dtype: np.dtype
  size: int

  @property
  def nbytes(self) -> int:
    """Size in bytes."""
    return self.size * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Tensor:
  """A view of a storage, checked to be inside of it.

  Attributes:
    storage: where the elements are; its claimed size may still be wrong.
    offset: the first element.
    shape: as NumPy's.
    strides: as NumPy's, but in elements.
  """

  storage: Storage
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]


def _ordered_dict(pairs: Any = None) -> dict:
  """Returns an empty dict or, as Python 2 wrote it, one of [key, value]s."""
  if pairs is None:
    return {}
  expect(isinstance(pairs, list), 'the items of a dict')
  expect(all(isinstance(p, list) and len(p) == 2 for p in pairs), 'an item')
  result = {check_key(key): value for key, value in pairs}
  # Emptied, as a list that is named a million times would fill the memory.
  pairs.clear()
  return result


def check_key(key: Any) -> str | int:
  """Checks the key of a dict."""
  # Hashing tuples that are nested very deeply would overflow the C stack.
  expect(type(key) in (str, int), 'the key of a dict')
  return key


def _size(lengths: Any) -> tuple:
  """Returns the shape of a `torch.Size`."""
  expect(isinstance(lengths, tuple), 'a shape')
  return lengths


def _tensor(
  storage: Any, offset: Any, shape: Any, strides: Any, *unused: Any
) -> Tensor:
  """Returns a tensor, checked to be inside its storage."""
  # Whether the tensor wants a gradient, and its hooks.
  del unused
  expect(isinstance(storage, Storage), 'the storage of a tensor')
  expect(isinstance(shape, tuple) and isinstance(strides, tuple), 'a shape')
  expect(len(shape) == len(strides) <= _MAX_AXES, 'the axes of a tensor')
  numbers = (offset, *shape, *strides)
  expect(all(type(n) is int and n >= 0 for n in numbers), 'natural numbers')
  if 0 in shape:
    return Tensor(storage, 0, shape, (0,) * len(shape))
  last = offset + sum(
    (length - 1) * stride for length, stride in zip(shape, strides, strict=True)
  )
  expect(last < storage.size, 'a tensor inside its storage')
  expect(
    math.prod(shape) <= max(storage.size, _MAX_REPEATED),
    'a tensor of no more elements than its storage',
  )
  return Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *unused: Any) -> Tensor:
  """Returns the tensor of a `torch.nn.Parameter`."""
  del unused
  expect(isinstance(tensor, Tensor), 'the tensor of a parameter')
  return tensor


# All that a pickle may name: our own functions, and the types of storages.
ALLOWED_NAMES: dict[tuple[str, str], Callable[..., Any] | np.dtype] = {
  ('collections', 'OrderedDict'): _ordered_dict,
  # The settings of many training scripts.
  ('argparse', 'Namespace'): SkippedObject,
  ('torch', 'Size'): _size,
  ('torch._utils', '_rebuild_tensor'): _tensor,
  ('torch._utils', '_rebuild_tensor_v2'): _tensor,
  ('torch._utils', '_rebuild_parameter'): _parameter,
  ('torch', 'FloatStorage'): np.dtype(np.float32),
  ('torch', 'DoubleStorage'): np.dtype(np.float64),
  ('torch', 'HalfStorage'): np.dtype(np.float16),
  ('torch', 'BFloat16Storage'): np.dtype(ml_dtypes.bfloat16),
  ('torch', 'LongStorage'): np.dtype(np.int64),
  ('torch', 'IntStorage'): np.dtype(np.int32),
  ('torch', 'ShortStorage'): np.dtype(np.int16),
  ('torch', 'CharStorage'): np.dtype(np.int8),
  ('torch', 'ByteStorage'): np.dtype(np.uint8),
  ('torch', 'BoolStorage'): np.dtype(np.bool_),
}
