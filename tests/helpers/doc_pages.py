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


def commands(page):
  """The commands of a page's `sh` blocks, in order, as lists of words."""
  found = []
  for language, text in _FENCE.findall(page.read_text()):
    if language == 'sh':
      for line in text.replace('\\\n', ' ').splitlines():
        if words := shlex.split(line, comments=True):
          found.append(words)
  return found
