"""Says what argparse complains of in the words of the other commands."""

import argparse
import ast
import re
from collections.abc import Sequence

from input_pipeline.errors import did_you_mean
from input_pipeline.escape import shortened

# What argparse calls types.
_TYPES = {'int': 'a whole number', 'float': 'a number'}
# A value comes as Python writes it, in quotes.
_CHOICE = re.compile(r'argument (.+?): invalid choice: (.+) \(choose from .*\)')
_TYPE = re.compile(r'argument (.+?): invalid (int|float) value: (.+)')
_NO_VALUE = re.compile(r'argument (.+?): expected .*')
_GIVEN_VALUE = re.compile(r'argument (.+?): ignored explicit argument (.+)')
_MISSING = 'the following arguments are required: '
# Begins what argparse says of arguments that a command does not have.
UNKNOWN = 'unrecognized arguments: '


def is_of_missing(message: str) -> bool:
  """Returns whether argparse says that an argument is missing."""
  return message.startswith(_MISSING)


def describe_error(
  message: str, actions: Sequence[argparse.Action], unknown: str = ''
) -> str:
  """Returns a message of argparse as the other commands would put it.

  Args:
    message: what argparse says.
    actions: the arguments of the command.
    unknown: an option that the command does not have; '' for none.
  """
  if unknown or message.startswith(UNKNOWN):
    return _of_unknown(unknown or message.removeprefix(UNKNOWN), actions)
  if is_of_missing(message):
    return f'missing: {message.removeprefix(_MISSING)}'
  if found := _CHOICE.fullmatch(message):
    return _of_choice(_last(found[1]), _value(found[2]), actions)
  if found := _TYPE.fullmatch(message):
    given = f'{_last(found[1])}={_value(found[3])}'
    return f'wrong type: {given}; give {_TYPES[found[2]]}'
  if found := _NO_VALUE.fullmatch(message):
    return f'no value: {_last(found[1])}'
  if found := _GIVEN_VALUE.fullmatch(message):
    return f'no value belongs to {_last(found[1])}: {_value(found[2])}'
  return message


def _of_unknown(given: str, actions: Sequence[argparse.Action]) -> str:
  if not given.startswith('-'):
    named = [
      str(action.metavar or action.dest)
      for action in actions
      if not action.option_strings and action.nargs in (None, '?')
    ]
    most = f'give at most {" and ".join(named)}; ' if named else ''
    return (
      f'unknown argument: {given}; {most}a value with blanks goes in quotes'
    )
  names = [name for action in actions for name in action.option_strings]
  name = given.split()[0].partition('=')[0]
  return f'unknown option: {given}{did_you_mean(name, names)}'


def _of_choice(
  name: str, value: str, actions: Sequence[argparse.Action]
) -> str:
  """Returns the message on a value that is none of the choices.

  Args:
    name: of the option, or of what stands for a positional argument.
    value: what was given.
    actions: the arguments of the command.
  """
  choices: list[str] = []
  for action in actions:
    if name in (*action.option_strings, action.dest, action.metavar):
      choices = [str(choice) for choice in action.choices or ()]
  given = f'value: {name}={value}'
  if not name.startswith('-'):
    given = f'{name}: {value}'
  return (
    f'unknown {given}; use one of {", ".join(choices)}'
    f'{did_you_mean(value, choices)}'
  )


def _last(names: str) -> str:
  """Returns the long name of '-q/--quiet'."""
  return names.rpartition('/')[2]


def _value(text: str) -> str:
  """Returns a value that stands in quotes, as it was given."""
  try:
    return shortened(str(ast.literal_eval(text)))
  except (ValueError, SyntaxError):
    return text
