"""Reads compiled programs (HLO text): what is sent, and the work of loops.

XLA's own count of floating-point operations and bytes takes the body of a loop
once, however often it runs. This module counts the further runs, and the data
that devices send each other.
"""

import collections
import dataclasses
import math
import re
from collections.abc import Iterator

# Bytes of an element; types without data, such as tokens, are left out.
_BYTES = {'pred': 1, 's8': 1, 'u8': 1, 'bf16': 2, 'f16': 2, 's16': 2, 'u16': 2}
_BYTES |= {'s32': 4, 'u32': 4, 'f32': 4, 's64': 8, 'u64': 8, 'f64': 8}
COLLECTIVES = (
  'all-gather',
  'all-reduce',
  'reduce-scatter',
  'all-to-all',
  'collective-permute',
)
# Instructions that move no data.
_FREE = {'parameter', 'tuple', 'get-tuple-element', 'bitcast', 'constant'}
_FREE |= {'while', 'call', 'conditional', 'after-all'}
_SHAPE = re.compile(r'\b([a-z]+\d*)\[([\d,]*)\]')
_START = re.compile(r'(?:ENTRY )?%?([\w.\-]+) \(.*\{$')
_NAME = re.compile(r'\s+(?:ROOT )?%?([\w.\-]+) = ')
_OPERATION = re.compile(r' ([a-z][a-z\-]*)\(')
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_CALLS = re.compile(r'\b(calls|body|to_apply)=%?([\w.\-]+)')
_CONDITION = re.compile(r'\bcondition=%?([\w.\-]+)')
_BRANCHES = re.compile(r'branch_computations=\{([^}]*)\}')
_TARGET = re.compile(r'custom_call_target="([^"]*)"')
# Of a product, and of a call of cuBLAS.
_SUMMED = re.compile(
  r'lhs_contracting_dim(?:ension)?s"?[=:][{\[]([\d",]*)[}\]]'
)


@dataclasses.dataclass(frozen=True)
class Instruction:
  """One line of a program.

  Attributes:
    name: unique in the program.
    result: its type, such as 'f32[8,128]{1,0}' or a tuple of types.
    operation: such as 'fusion' or 'all-gather-start'.
    rest: what follows the operation: operands and attributes.
  """

  name: str
  result: str
  operation: str
  rest: str


Program = dict[str, list[Instruction]]


def parse_program(text: str) -> tuple[Program, str]:
  """Returns the instructions of each computation, and the entry's name."""
  program: Program = {}
  entry, current = '', []
  for line in text.splitlines():
    if not line.startswith(' '):
      if start := _START.match(line):
        current = program.setdefault(start[1], [])
        entry = start[1] if line.startswith('ENTRY') else entry
    elif name := _NAME.match(line):
      result, operation, rest = _split(line[name.end() :])
      current.append(Instruction(name[1], result, operation, rest))
  return program, entry


def _split(line: str) -> tuple[str, str, str]:
  """Splits 'TYPE operation(operands), attributes' into its three parts."""
  # A tuple of types has parentheses in it, of layouts.
  end = _closing(line) if line.startswith('(') else 0
  operation = _OPERATION.search(line, end)
  if operation is None:
    return line, '', ''
  return line[: operation.start()], operation[1], line[operation.end() :]


def _closing(line: str) -> int:
  """Returns where the parenthesis that a line starts with is closed."""
  depth = 0
  for place, letter in enumerate(line):
    depth += (letter == '(') - (letter == ')')
    if not depth:
      return place
  return len(line)


def shapes(type_: str) -> Iterator[tuple[str, list[int]]]:
  """Yields the element type and the sides of each array in a type."""
  for element, sides in _SHAPE.findall(type_):
    if element in _BYTES:
      yield element, [int(side) for side in sides.split(',') if side]


def size(type_: str) -> int:
  """Returns the bytes of all arrays in a type."""
  return sum(_BYTES[element] * math.prod(s) for element, s in shapes(type_))


def runs(program: Program, entry: str) -> dict[str, int]:
  """Returns how often each computation runs; fusions are left out."""
  count: dict[str, int] = collections.Counter()
  waiting = [(entry, 1)]
  while waiting:
    name, times = waiting.pop()
    count[name] += times
    for instruction in program.get(name, []):
      if instruction.operation in ('fusion', 'reduce', 'sort', 'all-reduce'):
        continue
      inner = [called for _, called in _CALLS.findall(instruction.rest)]
      for branches in _BRANCHES.findall(instruction.rest):
        inner += re.findall(r'[\w.\-]+', branches)
      often = times * _trips(instruction, program)
      waiting += [(called, often) for called in inner if called in program]
  return count


def _trips(instruction: Instruction, program: Program) -> int:
  """Returns how often a loop runs its body; 1 for other instructions."""
  if known := _TRIPS.search(instruction.rest):
    return int(known[1])
  condition = _CONDITION.search(instruction.rest)
  if instruction.operation != 'while' or condition is None:
    return 1
  # The compiler for TPUs does not write the number. JAX's loops of a known
  # length count from 0 by 1 and compare with it.
  lines = program.get(condition[1], [])
  limits = [x.rest.split(')')[0] for x in lines if x.operation == 'constant']
  less = any('direction=LT' in x.rest for x in lines)
  if less and len(limits) == 1 and limits[0].isdigit():
    return int(limits[0])
  return 1


def sent(program: Program, entry: str) -> dict[str, int]:
  """Returns the bytes of the results of each kind of collective on a device.

  A collective in a loop counts as often as it runs.
  """
  total = dict.fromkeys(COLLECTIVES, 0)
  for name, times in runs(program, entry).items():
    for instruction in program[name]:
      kind = instruction.operation.removesuffix('-start')
      if kind in total:
        total[kind] += times * _received(instruction)
  return total


def _received(instruction: Instruction) -> int:
  """Returns the bytes of a collective's results on one device."""
  arrays = [
    _BYTES[element] * math.prod(sides)
    for element, sides in shapes(instruction.result)
    # A started permutation has two numbers of its own.
    if sides or element != 'u32'
  ]
  if instruction.operation in ('all-gather-start', 'collective-permute-start'):
    # The operands, then the results.
    arrays = arrays[len(arrays) // 2 :]
  return sum(arrays)


def repeated_flops(program: Program, entry: str) -> int:
  """Returns the operations of products in loops, without their first run."""
  return sum(
    (times - 1) * sum(_flops_within(program, name))
    for name, times in runs(program, entry).items()
  )


def repeated_bytes(program: Program, entry: str) -> int:
  """Returns the bytes that loops read and write, without their first run."""
  total = 0
  for name, times in runs(program, entry).items():
    types = {x.name: x.result for x in program[name]}
    if times > 1:
      total += (times - 1) * sum(
        size(x.result) + sum(map(size, _operands(x, types)))
        for x in program[name]
        if x.operation not in _FREE and not x.operation.endswith('-done')
      )
  return total


def _operands(instruction: Instruction, types: dict[str, str]) -> list[str]:
  """Returns the types of an instruction's operands."""
  names = re.findall(r'%?([\w.\-]+)', instruction.rest.split(')')[0])
  return [types[name] for name in names if name in types]


def _flops_within(program: Program, name: str) -> Iterator[int]:
  """Yields the operations of each product in a computation and its fusions."""
  types = {x.name: x.result for x in program[name]}
  for instruction in program[name]:
    if instruction.operation == 'fusion':
      for _, called in _CALLS.findall(instruction.rest):
        yield from _flops_within(program, called)
    elif instruction.operation in ('dot', 'convolution', 'custom-call'):
      yield _product_flops(instruction, _operands(instruction, types))


def library_costs(program: Program, entry: str) -> tuple[int, int]:
  """Returns what XLA's own count leaves out: products by cuBLAS and cuDNN.

  In a program for GPUs, these are calls of a library.

  Returns:
    Operations, and bytes that the calls read and write; a call in a loop counts
    once, as in XLA's count.
  """
  flops = moved = 0
  for name in runs(program, entry):
    types = {x.name: x.result for x in program[name]}
    for instruction in program[name]:
      operands = _operands(instruction, types)
      if instruction.operation == 'custom-call' and (
        work := _product_flops(instruction, operands)
      ):
        flops += work
        moved += size(instruction.result) + sum(map(size, operands))
  return flops, moved


def _product_flops(instruction: Instruction, operands: list[str]) -> int:
  """Returns 2 x (elements of the result) x (products summed in each).

  A convolution's gradients take what the convolution takes.
  """
  target = _TARGET.search(instruction.rest)
  if instruction.operation == 'custom-call' and (
    target is None or not target[1].startswith(('__cudnn$conv', '__cublas$'))
  ):
    return 0
  # A call's further results are memory to work in.
  _, result = next(shapes(instruction.result))
  (_, left), (_, right) = (next(shapes(x)) for x in operands[:2])
  if axes := _SUMMED.search(instruction.rest):
    summed = math.prod(left[int(i)] for i in re.findall(r'\d+', axes[1]))
    return 2 * math.prod(result) * summed
  kind = target[1] if target else ''
  if not kind:
    return _convolution_flops(instruction, result, left, right)
  if 'BackwardInput' in kind:
    result = left
  elif 'BackwardFilter' in kind:
    result, right = right, result
  # The kernel's sides but that of the result's features.
  labels = re.search(r'dim_labels=\w+_(\w+)->', instruction.rest)
  summed = math.prod(right)
  if labels:
    summed //= right[labels[1].index('o')]
  return 2 * math.prod(result) * summed


def _convolution_flops(
  instruction: Instruction,
  result: list[int],
  left: list[int],
  kernel: list[int],
) -> int:
  """Returns the operations of a convolution, without those on padding.

  The compiler for TPUs writes the products of several pairs of matrices as a
  convolution with gaps between its rows, which take nothing either.
  """
  labels = re.search(r'dim_labels=(\w+)_(\w+)->(\w+)', instruction.rest)
  if labels is None:
    return 2 * math.prod(result) * math.prod(kernel)
  rows, sides, results = labels.groups()
  total = 2 * kernel[sides.index('i')]
  total *= result[results.index('b')] * result[results.index('f')]
  window = re.search(r'window=\{([^}]*)\}', instruction.rest)
  given = dict(x.split('=') for x in window[1].split()) if window else {}
  for number in range(len(kernel) - 2):

    def of(name: str, default: str, number: int = number) -> str:
      return given[name].split('x')[number] if name in given else default

    stride, gap, step = (
      int(of(name, '1')) for name in ('stride', 'lhs_dilate', 'rhs_dilate')
    )
    padded = int(of('pad', '0_0').split('_')[0])
    side = left[rows.index(str(number))]
    places = [
      k * step - padded for k in range(kernel[sides.index(str(number))])
    ]
    total *= sum(
      (at := first + place) % gap == 0 and 0 <= at <= (side - 1) * gap
      for place in places
      for first in range(0, result[results.index(str(number))] * stride, stride)
    )
  return total
