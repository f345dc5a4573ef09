"""Reads the pickle inside a PyTorch file without running it.

A pickle is a program for a stack machine. The machine here knows only the
instructions and names that occur in state dicts. It imports nothing and calls
only the functions of `ALLOWED_NAMES`; anything else is an error.
"""

import io
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from owdfa_jax.weights.pickled_names import (
  ALLOWED_NAMES,
  RefusedPickle,
  SkippedObject,
  Storage,
  check_key,
  expect,
)

# Files of weights have about 30 instructions for each tensor.
MAX_INSTRUCTIONS = 2 * 10**6
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


def read_pickle(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
  """Reads the pickle at the stream's position, and leaves the stream behind it.

  Returns:
    The object, made of dicts, lists, tuples, numbers, strings and `Tensor`s;
    and all storages it mentions, by key.

  Raises:
    RefusedPickle: it asks for a name or an operation that weights do not need.
    ValueError, TypeError, IndexError, KeyError: it is damaged.
  """
  machine = _Machine()
  for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
    if opcode.name == 'STOP':
      break
    if count > MAX_INSTRUCTIONS:
      raise RefusedPickle(f'more than {MAX_INSTRUCTIONS:,} instructions')
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
    expect(isinstance(module, str) and isinstance(name, str), 'a name')
    if (module, name) not in ALLOWED_NAMES:
      raise RefusedPickle(f'the name {module}.{name}')
    self.stack.append(ALLOWED_NAMES[module, name])

  def call(self, _: Any) -> None:
    arguments, function = self.pop(), self.pop()
    # The functions of `ALLOWED_NAMES` are the only callables on the stack.
    expect(callable(function), 'a function')
    expect(isinstance(arguments, tuple), 'arguments')
    self.stack.append(function(*arguments))

  def build(self, _: Any) -> None:
    """Drops the attributes of a state dict, which has only `_metadata`."""
    self.pop()
    if not isinstance(self.stack[-1], dict | SkippedObject):
      raise RefusedPickle('setting the attributes of an object')

  def new_object(self, _: Any) -> None:
    """Makes an object of the one class whose content may be dropped."""
    arguments, made = self.pop(), self.pop()
    if made is not SkippedObject or arguments != ():
      raise RefusedPickle('the instruction NEWOBJ')
    self.stack.append(SkippedObject())

  def storage(self, _: Any) -> None:
    match self.pop():
      case ('storage', np.dtype() as dtype, str() as key, str(), size, *view):
        expect(type(size) is int and size >= 0, 'the size of a storage')
        if view not in ([], [None]):
          raise RefusedPickle('a part of a storage')
      case _:
        raise RefusedPickle('an object outside the pickle')
    storage = Storage(key, dtype, size)
    known = self.storages.setdefault(key, storage)
    expect(known == storage, 'one type and size of a storage')
    self.stack.append(storage)

  def set_items(self, _: Any) -> None:
    self.update(self.since_mark())

  def set_item(self, _: Any) -> None:
    value, key = self.pop(), self.pop()
    self.update([key, value])

  def update(self, items: list[Any]) -> None:
    target = self.stack[-1]
    expect(isinstance(target, dict) and len(items) % 2 == 0, 'a dict')
    for key, value in zip(items[::2], items[1::2], strict=True):
      target[check_key(key)] = value

  def append(self, _: Any) -> None:
    item = self.pop()
    self.extend([item])

  def appends(self, _: Any) -> None:
    self.extend(self.since_mark())

  def extend(self, items: list[Any]) -> None:
    expect(isinstance(self.stack[-1], list), 'a list')
    self.stack[-1].extend(items)

  def tuple_since_mark(self, _: Any) -> None:
    items = tuple(self.since_mark())
    self.stack.append(items)

  def push_tuple(self, count: int) -> None:
    expect(len(self.stack) >= count, 'the items of a tuple')
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
  'NEWOBJ': _Machine.new_object,
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
