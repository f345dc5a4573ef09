"""The pages of the project and the shell commands in them, for the tests."""

import re
import shlex

from helpers.paths import ROOT

PAGES = (
  ROOT / 'README.md',
  ROOT / 'CONTRIBUTING.md',
  ROOT / 'CHANGELOG.md',
  *sorted((ROOT / 'docs').glob('*.md')),
)
_FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.MULTILINE | re.DOTALL)


def prose(page):
  """The text of a page without its fenced blocks."""
  return _FENCE.sub('', page.read_text())


def blocks(page, language):
  """The texts of a page's fenced blocks in a language, in order."""
  found = _FENCE.findall(page.read_text())
  return [text for name, text in found if name == language]


def commands(page):
  """The commands of a page's `sh` blocks, in order, as lists of words."""
  lines = [
    line
    for text in blocks(page, 'sh')
    for line in text.replace('\\\n', ' ').splitlines()
  ]
  words = (shlex.split(line, comments=True) for line in lines)
  return [each for each in words if each]
