"""The parser of the command lines that argparse reads."""

import argparse
import sys
import textwrap
from typing import Any, NoReturn

from typing_extensions import override

from input_pipeline import escape
from input_pipeline.argument_errors import describe_error, is_of_missing
from input_pipeline.errors import MISUSED
from input_pipeline.progress_bars import be_quiet
from input_pipeline.storage import run_type

# How a user says where the packed directory of a run is, see `add_packed_data`.
DATA_FLAG = '--data DIR'

# What the help calls the value of an option of each type.
_METAVARS = {int: 'N', float: 'NUMBER'}
# How many of a positional argument there are, as the usage says it.
_POSITIONAL = {'None': '{}', '?': '[{}]', '*': '[{} ...]', '+': '{} ...'}


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
  """Does not break a flag at its dashes."""

  @override
  def _fill_text(self, text: str, width: int, indent: str) -> str:
    # A docstring is shown as it is written.
    if '\n' in text:
      return super()._fill_text(text, width, indent)
    return textwrap.fill(text, width, break_on_hyphens=False)

  @override
  def _split_lines(self, text: str, width: int) -> list[str]:
    return textwrap.wrap(' '.join(text.split()), width, break_on_hyphens=False)


class ArgumentParser(argparse.ArgumentParser):
  """Shows a mistake on the command line as one line, without the usage.

  It takes -q, which shows no progress. Its subcommands do the same.

  Attributes:
    others: what words begin with that the command reads by itself.
  """

  others: tuple[str, ...] = ()

  def __init__(self, *args: Any, **settings: Any):
    """Takes what `argparse.ArgumentParser` does."""
    super().__init__(*args, **{'formatter_class': _HelpFormatter} | settings)
    self._given: list[str] = []
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
  def format_help(self) -> str:
    if self.usage is None:
      self.usage = self._short_usage()
    return super().format_help()

  def _short_usage(self) -> str:
    """Returns what has to be given; the help lists the options."""
    words = ['%(prog)s']
    for action in self._actions:
      what = str(action.metavar or action.dest.upper())
      if action.required and action.option_strings:
        words.append(f'{action.option_strings[0]} {what}')
      elif isinstance(action, argparse._SubParsersAction):
        words.append('COMMAND ...')
      elif not action.option_strings:
        words.append(_POSITIONAL[str(action.nargs)].format(what))
    return ' '.join([*words, '[options]'])

  @override
  def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
    if settings.get('type') in _METAVARS and not settings.get('choices'):
      settings.setdefault('metavar', _METAVARS[settings['type']])
    return super().add_argument(*names, **settings)

  @override
  def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
    # For `error`, which is told only what is missing.
    self._given = list(sys.argv[1:] if args is None else args)
    return super().parse_known_args(args, namespace)

  @override
  def error(self, message: str) -> NoReturn:
    # A misspelt option is why another one is missing.
    unknown = self._unknown() if is_of_missing(message) else ''
    line = describe_error(message, self._actions, unknown)
    see = ' See' if line.endswith('?') else '; see'
    line += f'{see} `{self.prog} --help`'
    print(f'error: {escape.message(line)}', file=sys.stderr)
    sys.exit(MISUSED)

  def _unknown(self) -> str:
    """Returns the first option that the parser does not know, or ''."""
    for word in self._given:
      name = word.partition('=')[0]
      if word == '--':
        break
      if not word.startswith('--') or word.startswith(self.others):
        continue
      starts = [x for x in self._option_string_actions if x.startswith(name)]
      if name not in starts and not (starts and self.allow_abbrev):
        return word
    return ''


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


def described_parser(
  prog: str | None, description: str | None, **settings: Any
) -> ArgumentParser:
  """Returns a parser whose help shows a module's docstring as it is written.

  Args:
    prog: the program's name; None for that of the process.
    description: the docstring.
    **settings: further ones of `argparse.ArgumentParser`.
  """
  return ArgumentParser(
    prog,
    description=description,
    **settings,
  )


def add_run(parser: ArgumentParser, what: str) -> None:
  """Adds RUN, the folder of a run.

  Args:
    parser: gets it, as `run`.
    what: what kind of run, for the help.
  """
  parser.add_argument('run', metavar='RUN', type=run_type('RUN'), help=what)


def add_packed_data(parser: ArgumentParser) -> None:
  """Adds --data, for a packed directory that was moved.

  Args:
    parser: gets it, as `data`.
  """
  parser.add_argument(
    '--data',
    metavar='DIR',
    help='the packed directory, if it is no longer where the run had it',
  )
