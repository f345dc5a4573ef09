"""Reads the pickle inside a PyTorch file without running it.

A pickle is a program for a stack machine. The machine here knows only the
instructions and names that occur in state dicts. It imports nothing and calls
only the functions below; anything else is an error.
"""

import dataclasses
import io
import pickletools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

_MAX_AXES = 64


class RefusedPickle(ValueError):
  """The pickle asks for something that weights do not need."""


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
  _expect(isinstance(pairs, list), 'the items of a dict')
  _expect(all(isinstance(p, list) and len(p) == 2 for p in pairs), 'an item')
  result = {_key(key): value for key, value in pairs}
  # Emptied, as a list that is named a million times would fill the memory.
  pairs.clear()
  return result


def _key(key: Any) -> str | int:
  """Checks the key of a dict."""
  # Hashing tuples that are nested very deeply would overflow the C stack.
  _expect(type(key) in (str, int), 'the key of a dict')
  return key


def _size(lengths: Any) -> tuple:
  """Returns the shape of a `torch.Size`."""
  _expect(isinstance(lengths, tuple), 'a shape')
  return lengths


def _tensor(
  storage: Any, offset: Any, shape: Any, strides: Any, *unused: Any
) -> Tensor:
  """Returns a tensor, checked to be inside its storage."""
  # Whether the tensor wants a gradient, and its hooks.
  del unused
  _expect(isinstance(storage, Storage), 'the storage of a tensor')
  _expect(isinstance(shape, tuple) and isinstance(strides, tuple), 'a shape')
  _expect(len(shape) == len(strides) <= _MAX_AXES, 'the axes of a tensor')
  numbers = (offset, *shape, *strides)
  _expect(all(type(n) is int and n >= 0 for n in numbers), 'natural numbers')
  if 0 in shape:
    return Tensor(storage, 0, shape, (0,) * len(shape))
  last = offset + sum(
    (length - 1) * stride for length, stride in zip(shape, strides, strict=True)
  )
  _expect(last < storage.size, 'a tensor inside its storage')
  return Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *unused: Any) -> Tensor:
  """Returns the tensor of a `torch.nn.Parameter`."""
  del unused
  _expect(isinstance(tensor, Tensor), 'the tensor of a parameter')
  return tensor


# All that a pickle may name: our own functions, and the types of storages.
_NAMES: dict[tuple[str, str], Callable[..., Any] | np.dtype] = {
  ('collections', 'OrderedDict'): _ordered_dict,
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

# Instructions without effect on the result.
_NO_EFFECT = ('PROTO', 'FRAME')
_CONSTANTS = {
  'NONE': None,
  'NEWTRUE': True,
  'NEWFALSE': False,
  'EMPTY_TUPLE': (),
}
_VALUES = (
  'BININT',
  'BININT1',
  'BININT2',
  'LONG1',
  'BINFLOAT',
  'BINUNICODE',
  'SHORT_BINUNICODE',
  # Python 2 wrote `str` so.
  'BINSTRING',
  'SHORT_BINSTRING',
)


def parse(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
  """Reads the pickle at the stream's position, and leaves the stream behind it.

  Returns:
    The object, made of dicts, lists, tuples, numbers, strings and `Tensor`s;
    and all storages it mentions, by key.

  Raises:
    RefusedPickle: it asks for a name or an operation that weights do not need.
    ValueError, TypeError, IndexError, KeyError: it is damaged.
  """
  machine = _Machine()
  for opcode, argument, _ in pickletools.genops(stream):
    if opcode.name == 'STOP':
      break
    machine.step(opcode.name, argument)
  return machine.pop(), machine.storages


class _Machine:
  """The stack machine.

  Attributes:
    stack: objects since the last mark.
    below: the stacks below each mark.
    memo: objects by their number.
    storages: the storages mentioned so far, by key.
  """

  def __init__(self) -> None:
    self.stack: list[Any] = []
    self.below: list[list[Any]] = []
    self.memo: dict[int, Any] = {}
    self.storages: dict[str, Storage] = {}

  def pop(self) -> Any:
    return self.stack.pop()

  def since_mark(self) -> list[Any]:
    """Pops all objects since the last mark, and the mark."""
    items = self.stack
    self.stack = self.below.pop()
    return items

  def step(self, opcode: str, argument: Any) -> None:
    """Executes one instruction."""
    if opcode in _NO_EFFECT:
      return
    if opcode in _VALUES:
      self.stack.append(argument)
    elif opcode in _CONSTANTS:
      self.stack.append(_CONSTANTS[opcode])
    elif opcode in _INSTRUCTIONS:
      _INSTRUCTIONS[opcode](self, argument)
    else:
      raise RefusedPickle(f'the instruction {opcode}')

  def mark(self, _: Any) -> None:
    self.below.append(self.stack)
    self.stack = []

  def put(self, index: int) -> None:
    self.memo[index] = self.stack[-1]

  def memoise(self, _: Any) -> None:
    self.memo[len(self.memo)] = self.stack[-1]

  def get(self, index: int) -> None:
    self.stack.append(self.memo[index])

  def name(self, argument: str) -> None:
    module, _, name = argument.partition(' ')
    self.push_name(module, name)

  def name_on_stack(self, _: Any) -> None:
    name, module = self.pop(), self.pop()
    self.push_name(module, name)

  def push_name(self, module: Any, name: Any) -> None:
    _expect(isinstance(module, str) and isinstance(name, str), 'a name')
    if (module, name) not in _NAMES:
      raise RefusedPickle(f'the name {module}.{name}')
    self.stack.append(_NAMES[module, name])

  def call(self, _: Any) -> None:
    arguments, function = self.pop(), self.pop()
    # The functions of `_NAMES` are the only callables on the stack.
    _expect(callable(function), 'a function')
    _expect(isinstance(arguments, tuple), 'arguments')
    self.stack.append(function(*arguments))

  def build(self, _: Any) -> None:
    """Drops the attributes of a state dict, which has only `_metadata`."""
    self.pop()
    if not isinstance(self.stack[-1], dict):
      raise RefusedPickle('setting the attributes of an object')

  def storage(self, _: Any) -> None:
    match self.pop():
      case ('storage', np.dtype() as dtype, str() as key, str(), size, *view):
        _expect(type(size) is int and size >= 0, 'the size of a storage')
        if view not in ([], [None]):
          raise RefusedPickle('a part of a storage')
      case _:
        raise RefusedPickle('an object outside the pickle')
    storage = Storage(key, dtype, size)
    known = self.storages.setdefault(key, storage)
    _expect(known == storage, 'one type and size of a storage')
    self.stack.append(storage)

  def set_items(self, _: Any) -> None:
    self.update(self.since_mark())

  def set_item(self, _: Any) -> None:
    value, key = self.pop(), self.pop()
    self.update([key, value])

  def update(self, items: list[Any]) -> None:
    target = self.stack[-1]
    _expect(isinstance(target, dict) and len(items) % 2 == 0, 'a dict')
    for key, value in zip(items[::2], items[1::2], strict=True):
      target[_key(key)] = value

  def append(self, _: Any) -> None:
    item = self.pop()
    self.extend([item])

  def appends(self, _: Any) -> None:
    self.extend(self.since_mark())

  def extend(self, items: list[Any]) -> None:
    _expect(isinstance(self.stack[-1], list), 'a list')
    self.stack[-1].extend(items)

  def tuple_since_mark(self, _: Any) -> None:
    items = tuple(self.since_mark())
    self.stack.append(items)

  def push_tuple(self, count: int) -> None:
    _expect(len(self.stack) >= count, 'the items of a tuple')
    items = self.stack[-count:]
    del self.stack[-count:]
    self.stack.append(tuple(items))


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
  'MARK': _Machine.mark,
  'BINPUT': _Machine.put,
  'LONG_BINPUT': _Machine.put,
  'MEMOIZE': _Machine.memoise,
  'BINGET': _Machine.get,
  'LONG_BINGET': _Machine.get,
  'GLOBAL': _Machine.name,
  'STACK_GLOBAL': _Machine.name_on_stack,
  'REDUCE': _Machine.call,
  'BUILD': _Machine.build,
  'BINPERSID': _Machine.storage,
  'SETITEM': _Machine.set_item,
  'SETITEMS': _Machine.set_items,
  'APPEND': _Machine.append,
  'APPENDS': _Machine.appends,
  'EMPTY_DICT': lambda machine, _: machine.stack.append({}),
  'EMPTY_LIST': lambda machine, _: machine.stack.append([]),
  'TUPLE': _Machine.tuple_since_mark,
  'TUPLE1': lambda machine, _: machine.push_tuple(1),
  'TUPLE2': lambda machine, _: machine.push_tuple(2),
  'TUPLE3': lambda machine, _: machine.push_tuple(3),
}


def _expect(holds: bool, what: str) -> None:
  """Raises `ValueError` naming what the pickle has wrong."""
  if not holds:
    raise ValueError(f'the pickle has something else for {what}')
