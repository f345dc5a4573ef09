"""What the words of a command line say before they are parsed."""

from collections.abc import Sequence

_HELP = ('h', 'help', 'helpfull', 'helpshort', 'helpxml', '?')


def asks_for_help(words: Sequence[str]) -> bool:
  """Returns whether a word is --help, or another way of absl to say it."""
  return any(
    word.startswith('-') and word.lstrip('-').partition('=')[0] in _HELP
    for word in words
  )


def take_flag(words: Sequence[str], name: str) -> tuple[list[str], list[str]]:
  """Splits a command line into the values of a flag and the other words.

  Args:
    words: the arguments of a program. `--NAME=VALUE` and `--NAME VALUE` are the
      same, and one dash is as good as two.
    name: the flag's name, without dashes.

  Returns:
    The values in their order, '' for a missing one, and the other words.
  """
  values: list[str] = []
  others: list[str] = []
  rest = iter(words)
  for word in rest:
    flag, equals, value = word.partition('=')
    if flag in (f'-{name}', f'--{name}'):
      values.append(value if equals else next(rest, ''))
    else:
      others.append(word)
  return values, others
