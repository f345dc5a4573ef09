"""Escapes text for the place where it is shown.

Names come from folders, CSV files and packed datasets, which others may have
made. Written as they are, they could colour or clear a terminal, reorder a
line, add HTML to a page or a formula to a spreadsheet.

| place | function |
| --- | --- |
| a terminal: tables, progress | `terminal`, `terminal_lines` |
| an error message | `message` for the line, `quoted`, `shortened` for values |
| a Markdown page | `markdown_text`, `prose`, `code`, `link` |
| a CSV for spreadsheets | `spreadsheet`, read back by `from_spreadsheet` |
| a picture of matplotlib | `picture` |

`distinct` shows names that look alike so that they differ.
"""

import collections
import re
import unicodedata
from collections.abc import Sequence

# Backslash escapes of Markdown; an underscore within a word is no markup.
_MARKUP = re.compile(r'[\\`*{}\[\]#~!$]|(?<![^\W_])_|_(?![^\W_])')
# As HTML, since a backslash does not keep a bar from ending a cell everywhere.
_ENTITIES = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '|': '&#124;'}
# Starts of a line that make it a list, or the line above it a title.
_BLOCK = re.compile(r'^(?:([-+=])|(\d+)([.)]))')
_URL = re.compile(r'https?://[\w.~:/?#@!$&()*+,;=%-]+', re.ASCII)
# Starts of a formula in spreadsheets, the last four in full width.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


class Markdown(str):
  """Text that is Markdown already, so that tables do not escape it again."""


def terminal(text: str) -> str:
  """Returns one line without characters that control a terminal.

  Everything that does not print as itself becomes an escape as in Python, such
  as `\\x1b`: control characters, line breaks, marks of the direction of
  writing, characters of no width, and blanks other than the common one.
  """
  if text.isprintable():
    return text
  return ''.join(
    c if c.isprintable() else c.encode('unicode_escape').decode() for c in text
  )


def terminal_lines(text: str) -> str:
  """Returns lines of text, each as `terminal` returns it."""
  return '\n'.join(map(terminal, text.split('\n')))


def message(text: str, most: int = 2000) -> str:
  """Returns a message as one line for a terminal; line breaks become blanks.

  Args:
    text: the message.
    most: how many characters to show; of a longer message, the two ends.
  """
  lines = [line.strip(' ') for line in re.split(r'\r?\n', text)]
  return shortened(' '.join(line for line in lines if line), most)


def quoted(value: object, most: int = 100) -> str:
  """Returns a value as Python writes it, such as a text in quotes.

  Letters that are put together from parts are shown by their parts, because
  they look like the letter that is one character.

  Args:
    value: a text, or something else that a file holds.
    most: how many characters to show; of a longer text, the two ends.
  """
  if not isinstance(value, str):
    try:
      return shortened(repr(value), most)
    except RecursionError:  # lists in lists in lists
      return f'a {type(value).__name__} nested too deeply'
  text = _ends(value, most)
  whole = unicodedata.is_normalized('NFC', text)
  return repr(text) if whole else ascii(text)


def shortened(text: str, most: int = 100) -> str:
  """Returns one line for a terminal; of a long text, the two ends."""
  return terminal(_ends(text, most))


def distinct(names: Sequence[str]) -> list[str]:
  """Returns names for a terminal, so that no two of them look alike.

  Names that differ only in their blanks, their Unicode form or in characters
  that do not show, and names with blanks at an end or in a row, are in quotes.
  """
  alike = collections.defaultdict(set)
  for name in names:
    alike[_look(name)].add(name)

  def show(name: str) -> str:
    if len(alike[_look(name)]) > 1:
      plain = unicodedata.is_normalized('NFKC', name)
      return repr(name) if plain else ascii(name)
    return terminal(name) if name == ' '.join(name.split()) else repr(name)

  return [show(name) for name in names]


def markdown_text(text: str) -> str:
  """Returns text that a Markdown page shows as it is, on one line.

  A text that is `Markdown` already stays as it is.
  """
  if isinstance(text, Markdown):
    return text
  text = re.sub('[&<>|]', lambda m: _ENTITIES[m[0]], _escaped(terminal(text)))
  return Markdown(text)


def prose(text: str) -> str:
  """Returns lines of text that a Markdown page shows as text, not as markup."""
  lines = []
  for line in text.strip().splitlines():
    line = markdown_text(line.strip().expandtabs())
    lines.append(_BLOCK.sub(_escape_block, line))
  return Markdown('\n'.join(lines))


def code(text: str) -> str:
  """Returns text as code on a Markdown page, on one line."""
  text = terminal(text).replace('|', '\\x7c')
  fence = '`' * (_longest_ticks(text) + 1)
  pad = ' ' if fence != '`' or not text.strip() else ''
  return Markdown(f'{fence}{pad}{text}{pad}{fence}')


def code_block(text: str) -> str:
  """Returns lines of text as a block of code on a Markdown page."""
  lines = [terminal(line.expandtabs()) for line in text.strip().splitlines()]
  fence = '`' * max(3, _longest_ticks(text) + 1)
  return Markdown('\n'.join([fence, *lines, fence]))


def link(url: str) -> str:
  """Returns a link to a web page; other text is shown as text."""
  return Markdown(f'<{url}>') if _URL.fullmatch(url) else markdown_text(url)


def spreadsheet(text: str) -> str:
  """Returns a cell of a CSV for spreadsheets, which takes it for text.

  A text that would be a formula there, because it begins with `=`, `+`, `-`,
  `@` or a control character, gets an apostrophe in front, and so does such a
  text that has one already.
  """
  return f"'{text}" if _FORMULA.match(text) else text


def from_spreadsheet(text: str) -> str:
  """Returns the text that `spreadsheet` made a cell of."""
  is_marked = text.startswith("'") and _FORMULA.match(text)
  return text[1:] if is_marked else text


def picture(text: str) -> str:
  """Returns text that matplotlib shows as it is, without formulas."""
  return terminal(text).replace('$', r'\$')


def _ends(text: str, most: int) -> str:
  if len(text) <= most:
    return text
  return f'{text[: most // 2]}...{text[-(most // 2) :]}'


def _escaped(text: str) -> str:
  return _MARKUP.sub(lambda match: f'\\{match[0]}', text)


def _escape_block(match: re.Match) -> str:
  mark, number, end = match.groups()
  return f'\\{mark}' if mark else f'{number}\\{end}'


def _longest_ticks(text: str) -> int:
  return max(map(len, re.findall('`+', text)), default=0)


def _look(name: str) -> str:
  """Returns the visible form of a name: equal for names that look alike."""
  name = unicodedata.normalize('NFKC', name)
  seen = ''.join(c for c in name if c.isprintable() or c.isspace())
  return ' '.join(seen.split())
