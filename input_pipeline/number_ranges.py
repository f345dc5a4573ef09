"""Ranges of the numbers that settings and flags take."""

import argparse
import dataclasses
from typing import Any

from typing_extensions import override

from input_pipeline.errors import UsageError
from input_pipeline.escape import shortened

# Random number generators take 32 bits.
LARGEST_SEED = 2**32 - 1
# Characters of a value in a message.
_MOST_SHOWN = 40


@dataclasses.dataclass(frozen=True)
class NumberRange:
  """The numbers that one setting takes.

  Attributes:
    least: the least number.
    greatest: the greatest number.
    whole: whether only whole numbers count.
    above: whether `least` itself is left out.
    below: whether `greatest` itself is left out.
    optional: whether None counts too.
    reason: why larger numbers are refused; '' where that is obvious.
  """

  least: float
  greatest: float
  whole: bool = False
  above: bool = False
  below: bool = False
  optional: bool = False
  reason: str = ''

  @override
  def __str__(self) -> str:
    """Returns the range in words, such as 'from 1 to 100'."""
    least, greatest = f'{self.least:.12g}', f'{self.greatest:.12g}'
    if not self.above and not self.below:
      return f'from {least} to {greatest}'
    lower = f'above {least}' if self.above else f'at least {least}'
    upper = f'below {greatest}' if self.below else f'at most {greatest}'
    return f'{lower} and {upper}'

  @property
  def kind(self) -> str:
    """The kind of number, in words: 'a whole number' or 'a number'."""
    return 'a whole number' if self.whole else 'a number'

  def holds(self, value: Any) -> bool:
    """Returns whether a number is in the range; NaN never is."""
    return (
      self.least <= value <= self.greatest
      and not (self.above and value == self.least)
      and not (self.below and value == self.greatest)
    )

  def check(self, setting: str, value: Any) -> None:
    """Raises `UsageError` unless `value` is a number in the range.

    Args:
      setting: the setting as the user writes it, such as '--config.epochs'.
      value: what the user gave. A truth value is not a number.
    """
    if value is None and self.optional:
      return
    expected = int if self.whole else (int, float)
    if not isinstance(value, expected) or isinstance(value, bool):
      raise UsageError(
        f'wrong type: {setting}={_shown(value)}; give {self.kind} {self}'
      )
    if not self.holds(value):
      reason = f' ({self.reason})' if self.reason else ''
      raise UsageError(
        f'out of range: {setting}={_shown(value)}; give {self.kind} '
        f'{self}{reason}'
      )


def whole(least: int, greatest: int, reason: str = '') -> NumberRange:
  """Returns the range of whole numbers from `least` to `greatest`."""
  return NumberRange(least, greatest, whole=True, reason=reason)


def whole_numbers(flag: str, text: str, allowed: NumberRange) -> list[int]:
  """Returns the whole numbers of a flag such as '1,2', each once.

  Args:
    flag: as the user writes it, such as '--threads'.
    text: its value.
    allowed: the range of each number.

  Raises:
    UsageError: a word is no whole number, or out of range.
  """
  numbers: list[int] = []
  for word in text.split(','):
    # `isdigit` holds for superscripts too, and Python refuses long numbers.
    digits = word.removeprefix('-')
    is_number = word.isascii() and digits.isdigit() and len(word) < 20
    value = int(word) if is_number else word
    allowed.check(flag, value)
    numbers.append(int(value))
  return list(dict.fromkeys(numbers))


def add_whole_numbers(
  parser: argparse.ArgumentParser,
  flag: str,
  default: str,
  allowed: NumberRange,
  what: str,
) -> None:
  """Adds a flag of whole numbers with commas between them, a list once parsed.

  Args:
    parser: gets the flag.
    flag: as the user writes it, such as '--threads'.
    default: its value if it is not given, such as '1,2'.
    allowed: the range of each number.
    what: the numbers of what, for the help.
  """
  parser.add_argument(
    flag,
    metavar='N,N',
    type=lambda text: whole_numbers(flag, text, allowed),
    default=default,
    help=f'numbers of {what}, with commas (default: %(default)s)',
  )


def _shown(value: Any) -> str:
  """Returns a value for a message, shortened."""
  # Python refuses to write out numbers of thousands of digits.
  if isinstance(value, int) and value.bit_length() >= 256:
    return 'a very large number'
  return shortened(str(value), _MOST_SHOWN)


def check_flags(
  arguments: argparse.Namespace, ranges: dict[str, NumberRange]
) -> None:
  """Raises `UsageError` for a flag of a command that is out of its range.

  Args:
    arguments: the parsed flags. One that is None was not given.
    ranges: the range of each flag by its name without dashes.
  """
  for name, allowed in ranges.items():
    value = getattr(arguments, name)
    if value is not None:
      allowed.check(f'--{name}', value)
