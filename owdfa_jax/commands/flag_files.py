"""Reads the words of a command line that --flagfile names."""

from collections.abc import Iterator, Sequence

from input_pipeline.errors import UsageError, UserError
from input_pipeline.files import read_text

_FLAGS = ('--flagfile', '-flagfile')
_COMMENTS = ('#', '//')


def expand_flag_files(words: Sequence[str]) -> list[str]:
  """Returns the words with those of its flag files in their places.

  A flag file has one word a line; blank lines and comments (`#`, `//`) are
  left out. It may name others.

  Raises:
    UserError: a file cannot be read, or names itself.
  """
  return list(_expanded(words, ()))


def _expanded(words: Sequence[str], inside: tuple[str, ...]) -> Iterator[str]:
  """Yields the words, given the files that they stand in."""
  rest = iter(words)
  for word in rest:
    flag, equals, value = word.partition('=')
    if flag not in _FLAGS:
      yield word
      continue
    path = value if equals else next(rest, '')
    if not path:
      raise UsageError(
        'wrong --flagfile: --flagfile with no argument; give --flagfile=FILE'
      )
    if path in inside:
      raise UserError(
        f'wrong --flagfile: {path} names itself; take that line out'
      )
    yield from _expanded(_lines(path), (*inside, path))


def _lines(path: str) -> list[str]:
  """Returns the words of a flag file."""
  try:
    text = read_text(path)
  except (OSError, UnicodeDecodeError) as error:
    why = error.strerror if isinstance(error, OSError) else 'it is not a text'
    raise UserError(
      f'wrong --flagfile: Unable to open flagfile {path} ({why}); give a text '
      'file with one flag in each line'
    ) from error
  lines = (line.strip() for line in text.splitlines())
  return [line for line in lines if line and not line.startswith(_COMMENTS)]
