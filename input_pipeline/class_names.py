"""Reads class names from the command line, and shows how they are typed."""

import re
import shlex
import unicodedata
from collections.abc import Sequence

from input_pipeline.errors import UserError
from input_pipeline.escape import quoted

# A name in double quotes, in which "" stands for ", or a name without quotes.
_NAME = re.compile(r'[ \t]*(?:"((?:[^"]|"")*)"[ \t]*|([^,]*))(,|$)')


def split_names(text: str) -> list[str]:
  """Splits names at commas, as in a line of a CSV.

  A name with a comma, or with a blank at an end, goes in double quotes:
  `A,"B,c23","C "`. Without quotes, blanks around a name do not count.

  Raises:
    UserError: a quotation mark is not closed.
  """
  names, place = [], 0
  while place < len(text):
    match = _NAME.match(text, place)
    quote = text[place:].lstrip(' \t').startswith('"')
    if match is None or (quote and match[1] is None):
      raise UserError(
        f'a quotation mark that is not closed: {quoted(text)}; put names in '
        'double quotes as in a CSV, or leave the quotes out'
      )
    if match[1] is not None:
      names.append(match[1].replace('""', '"'))
    elif name := match[2].strip(' \t'):
      names.append(name)
    place = match.end()
  return names


def typed(names: Sequence[str]) -> str:
  """Returns names as they are typed in a shell for an option."""
  text = ','.join(_in_quotes(name) for name in names)
  if text.isprintable() and unicodedata.is_normalized('NFC', text):
    return shlex.quote(text)
  # Bash and zsh read escapes within $'...'.
  return f"$'{''.join(map(_escaped, text))}'"


def suggested(name: str) -> str:
  """Returns a name for a message, with how it is typed if that differs."""
  written = typed([name])
  if written in (name, quoted(name)):
    return written
  return f'{quoted(name)} (written {written})'


def _in_quotes(name: str) -> str:
  # Without quotes, a name such as -x would be taken for an option.
  if name and not name.startswith(('"', '-')) and ',' not in name:
    if name == name.strip(' \t'):
      return name
  doubled = name.replace('"', '""')
  return f'"{doubled}"'


def _escaped(character: str) -> str:
  if character in "'\\":
    return f'\\{character}'
  if character.isascii() and character.isprintable():
    return character
  return f'\\U{ord(character):08x}'
