"""The parser of the command lines that argparse reads."""

import argparse
import sys
from typing import NoReturn

from typing_extensions import override

from input_pipeline import escape


class ArgumentParser(argparse.ArgumentParser):
  """Shows a mistake on the command line as one line, without the usage.

  Its subcommands do the same.
  """

  @override
  def error(self, message: str) -> NoReturn:
    given = message.removeprefix('unrecognized arguments: ')
    line = f'{message}; see `{self.prog} --help`'
    if given != message and not given.startswith('-'):
      line += '; a value with blanks goes in quotes'
    print(f'error: {escape.message(line)}', file=sys.stderr)
    sys.exit(2)  # argparse's status for a wrong command line
