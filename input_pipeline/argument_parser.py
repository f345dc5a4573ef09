"""The parser of the command lines that argparse reads."""

import argparse
import sys
from typing import Any, NoReturn

from typing_extensions import override

from input_pipeline import escape
from input_pipeline.errors import MISUSED
from input_pipeline.progress_bars import be_quiet


class ArgumentParser(argparse.ArgumentParser):
  """Shows a mistake on the command line as one line, without the usage.

  It takes -q, which shows no progress. Its subcommands do the same.
  """

  def __init__(self, *args: Any, **settings: Any):
    """Takes what `argparse.ArgumentParser` does."""
    super().__init__(*args, **settings)
    self.add_argument(
      '-q',
      '--quiet',
      action=_BeQuiet,
      nargs=0,
      default=argparse.SUPPRESS,
      dest=argparse.SUPPRESS,
      help='show no progress, only results, warnings and errors',
    )

  @override
  def error(self, message: str) -> NoReturn:
    given = message.removeprefix('unrecognized arguments: ')
    line = f'{message}; see `{self.prog} --help`'
    if given != message and not given.startswith('-'):
      line += '; a value with blanks goes in quotes'
    print(f'error: {escape.message(line)}', file=sys.stderr)
    sys.exit(MISUSED)


class _BeQuiet(argparse.Action):
  """Acts at once, so that the parsed arguments hold those of the job alone."""

  @override
  def __call__(
    self,
    parser: argparse.ArgumentParser,
    namespace: argparse.Namespace,
    values: Any,
    option_string: str | None = None,
  ) -> None:
    be_quiet()
