"""Lets `owdfa discover` speak alone: leaves out what its phases say besides.

The phases are commands of their own. They print what they wrote and which
command or option comes next, which `discover` does itself.
"""

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from typing import TextIO

from typing_extensions import override

from input_pipeline.errors import reworded

# What `discover` takes; `config.` begins a setting.
_OPTIONS = ('known', 'images', 'out', 'size', 'tiles', 'crop', 'rounds')
# What follows a slash is the name of a file.
_OPTION = re.compile(r'(?<![\w/-])--([a-z_.]+)')
# Settings that `discover` makes itself.
_OWN_SETTINGS = ('config.data.path', 'config.eval.split')
# Messages have commands between backticks; a folder may be called `owdfa data`.
_OTHER_COMMANDS = re.compile(r'`(owdfa|prepare) |\(python -m ')


def is_of_discover(line: str) -> bool:
  """Returns whether a line of a phase holds for `owdfa discover` too.

  Args:
    line: what a phase prints. Warnings are always shown.
  """
  if line.startswith('warning'):
    return True
  if line.startswith(('written: ', 'wrote ')) or _OTHER_COMMANDS.search(line):
    return False
  return all(
    name in _OPTIONS
    or (name.startswith('config.') and not name.startswith(_OWN_SETTINGS))
    for name in _OPTION.findall(line)
  )


class _Filter(io.TextIOBase):
  """Passes the lines of `is_of_discover` on to a stream."""

  def __init__(self, stream: TextIO) -> None:
    self._stream = stream
    self._part = ''

  @override
  def write(self, text: str, /) -> int:
    *lines, self._part = (self._part + text).split('\n')
    for line in lines:
      if is_of_discover(line):
        self._stream.write(f'{line}\n')
    return len(text)

  @override
  def flush(self) -> None:
    self._stream.flush()

  @override
  def fileno(self) -> int:
    return self._stream.fileno()

  @override
  def isatty(self) -> bool:
    return self._stream.isatty()

  def end(self) -> None:
    """Passes on what has no line break yet."""
    if self._part:
      self.write('\n')


# Errors of phases name the option of a training.
_OF_DISCOVER = {'another --workdir': 'another --out'}


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
  """Shows only lines of `is_of_discover` on stdout while phases run.

  Errors name --out, since --workdir is another run for `discover`.
  """
  lines = _Filter(sys.stdout)
  try:
    with contextlib.redirect_stdout(lines), reworded(_OF_DISCOVER):
      yield
  finally:
    lines.end()
