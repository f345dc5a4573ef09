"""The command line of the commands that run a config file."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import ml_collections
from absl import flags
from ml_collections.config_flags import config_path
from typing_extensions import override

from input_pipeline import escape
from input_pipeline.errors import UsageError, did_you_mean
from owdfa_jax.commands.config_files import (
  find_config,
  load_config,
  shipped_configs,
)
from owdfa_jax.commands.flag_files import expand_flag_files
from owdfa_jax.commands.given_run import run_among
from owdfa_jax.commands.mode_help import POD_FLAGS, ModeHelp
from owdfa_jax.commands.words import asks_for_help, take_flag
from owdfa_jax.setting_checks import flatten_settings

# What a flag of each type takes, by absl's names of the types.
_TYPES = {'int': 'a whole number', 'float': 'a number', 'bool': 'true or false'}
# What ml_collections says of a value for a whole section.
_SECTION = ' as a ConfigDict: '
# The arguments, where ml_collections looks for overrides; `parse` fills it. It
# would read those of the process as early as where --config is defined.
ARGUMENTS: list[str] = []
# What ml_collections raises for an override of a field that does not exist.
_FIELD_ERRORS = (AttributeError, KeyError, IndexError, TypeError, ValueError)


class Recorded(NamedTuple):
  """Where a config is from if --config is not given.

  Attributes:
    applies: says of the arguments whether --workdir alone is enough.
    read: returns the config that the workdir records.
  """

  applies: Callable[[Sequence[str]], bool]
  read: Callable[[str], ml_collections.ConfigDict]


class _ConfigParser(flags.ArgumentParser):
  """Loads the config, in place of ml_collections' parser."""

  def __init__(
    self,
    read: Callable[[str], ml_collections.ConfigDict],
    workdir: str | None,
  ):
    """Takes what reads the config, of a workdir or, with None, of a file."""
    self._read = read
    self.workdir = workdir

  @override
  def parse(self, argument: str) -> ml_collections.ConfigDict:
    return self._read(argument)


def command_line(argv: Sequence[str] | None, prog: str | None) -> list[str]:
  """Makes arguments those of the process, and returns its command line.

  Args:
    argv: the arguments; None leaves those of the process.
    prog: the program's name; None leaves that of the process.
  """
  if argv is not None:
    sys.argv = [prog or sys.argv[0], *argv]
  return sys.argv


def parse(
  argv: Sequence[str],
  config: flags.FlagHolder,
  *,
  example: str,
  needs: str,
  description: str,
  recorded: Recorded | None = None,
  takes_files: Callable[[Sequence[str]], bool] = lambda words: False,
  help_of: Callable[[Sequence[str]], ModeHelp | None] = lambda words: None,
) -> list[str]:
  """Parses the command line and shows mistakes as one line each.

  absl would print a page of usage for each of them. With --help, prints the
  description and the flags, and ends the program.

  Args:
    argv: the program's name and its arguments.
    config: the flag --config.
    example: a value of it, named when it is missing or wrong.
    needs: a field that only the configs of this command have.
    description: the command's docstring, for --help.
    recorded: where the config is from if --config is not given; None if it has
      to be given.
    takes_files: says of them whether they may have words that are no flags.
    help_of: returns the page of the mode that they ask for; None for the page
      of all modes.

  Returns:
    What remains without the flags: the program's name, and files.

  Raises:
    UserError: the command line is wrong.
  """
  if asks_for_help(argv[1:]):
    page = help_of(argv[1:]) or ModeHelp(description.strip(), ())
    print(f'{page.description}\n\n{describe_flags(config, page.flags)}')
    sys.exit(0)
  words = expand_flag_files(argv[1:])
  check_flag_names(words)
  workdir = _recorded_in(words, recorded)
  if recorded is None or workdir is None:
    or_run = ''
    if recorded is not None and recorded.applies(words):
      or_run = ', or --workdir=RUN of a trained run'
      _check_no_run(words)
    given, others = _take_config(words, example, or_run)
    parser = _ConfigParser(load_config, None)
  else:
    given, others = workdir, words
    parser = _ConfigParser(recorded.read, workdir)
  ARGUMENTS[:] = [f'--config={given}', *others]
  flags.FLAGS[config.name].parser = parser
  try:
    rest = flags.FLAGS([argv[0], *ARGUMENTS])
  except flags.Error as error:
    raise UsageError(describe_flag_error(error)) from error
  except _FIELD_ERRORS as error:
    fields = parser.parse(given)  # the config without the overrides
    by_file = '' if workdir else given
    message = _describe_field_error(error, others, fields, by_file)
    raise UsageError(message) from error
  if len(rest) > 1 and not takes_files(words):
    raise UsageError(f'unknown argument: {rest[1]}; flags begin with --')
  if needs not in config.value:
    raise UsageError(
      f'a config of another command: --config={given} has no {needs!r}; '
      f'give --config={example}'
    )
  return rest


def check_flag_names(words: Sequence[str]) -> None:
  """Raises `UsageError` for a flag that does not exist.

  First of all: a misspelt --config or --workdir is why there is none.

  Args:
    words: the arguments. The value of a flag may be a word of its own.
  """
  rest = iter(words)
  for word in rest:
    if word == '--':
      return
    name, equals, _ = word.lstrip('-').partition('=')
    if not word.startswith('-') or not name:
      continue  # a file, or the name of stdin
    section, dot, _ = name.partition('.')
    is_override = dot and section.removeprefix('no') == 'config'
    if is_override and name.startswith('no'):
      continue  # switches a setting off, and has no value
    flag = flags.FLAGS[name] if name in flags.FLAGS else None
    if flag is None and name.startswith('no'):
      switch = name.removeprefix('no')
      if switch in flags.FLAGS and flags.FLAGS[switch].boolean:
        continue
    if flag is None and not is_override:
      advice = did_you_mean(f'--{name}', [f'--{x}' for x in flags.FLAGS])
      raise UsageError(
        f'unknown flag: {escape.shortened(word)}{advice or "; see --help"}'
      )
    if not equals and not (flag is not None and flag.boolean):
      next(rest, None)


def _check_no_run(words: Sequence[str]) -> None:
  """Raises `UsageError` if a run is given, but neither as --workdir.

  Args:
    words: the arguments, without --workdir or with --config.
  """
  if take_flag(words, 'config')[0] or take_flag(words, 'workdir')[0]:
    return
  if run := run_among(words):
    raise UsageError(
      f'no config given: {run} is the folder of a run; did you mean '
      f'--workdir={run}?'
    )


def _take_config(
  words: Sequence[str], example: str, or_run: str
) -> tuple[str, list[str]]:
  """Returns the value of --config, whose file exists, and the other words.

  The errors show `example`; `or_run` says what may be given in its place.
  """
  values, others = take_flag(words, 'config')
  # A value that begins with a dash is the next flag.
  if not any(values) or values[0].startswith('-'):
    raise UsageError(f'no config given: give --config={example}{or_run}')
  if len(values) > 1:
    given = ' '.join(f'--config={value}' for value in values)
    raise UsageError(f'--config is given more than once: {given}; give one')
  if not os.path.isfile(find_config(values[0]).partition(':')[0]):
    name = os.path.basename(values[0].partition(':')[0]).removesuffix('.py')
    advice = did_you_mean(name, shipped_configs())
    raise UsageError(
      f'no such config file: --config={escape.shortened(values[0])}; give '
      f'--config={example}{advice}'
    )
  return values[0], others


def _recorded_in(words: Sequence[str], recorded: Recorded | None) -> str | None:
  """Returns the --workdir that has the config; None if --config is needed."""
  workdirs, _ = take_flag(words, 'workdir')
  if recorded is None or not any(workdirs) or take_flag(words, 'config')[0]:
    return None
  return workdirs[-1] if recorded.applies(words) else None


def recorded_workdir(config: flags.FlagHolder) -> str | None:
  """Returns the --workdir that the parsed config is from; None for a file.

  Args:
    config: the flag --config.
  """
  return getattr(flags.FLAGS[config.name].parser, 'workdir', None)


def _describe_field_error(
  error: Exception,
  words: Sequence[str],
  fields: ml_collections.ConfigDict,
  given: str,
) -> str:
  """Returns a message about what the flag parser raised.

  Args:
    error: one of `_FIELD_ERRORS`.
    words: the arguments without --config.
    fields: the config without overrides.
    given: the value of --config, '' for none.
  """
  overrides = [word for word in words if re.match(r'--?(no)?config\.', word)]
  if not overrides:
    return f'wrong flag: {tidy(error)}; see --help'
  field = _unknown_field(overrides, fields)
  name = field.partition('=')[0].partition('.')[2]
  known = flatten_settings(fields.to_dict())
  lists = 'docs/settings.md lists all'
  if given:
    lists = f'docs/settings.md and the file of --config={given} list all'
  advice = did_you_mean(name, known) or ';'
  return f'no such config field: {field}{advice} {lists}'


def _unknown_field(
  overrides: Sequence[str], fields: ml_collections.ConfigDict
) -> str:
  """Returns the first override whose field the config lacks.

  Args:
    overrides: the words that set fields; one of them is wrong.
    fields: the config without overrides.
  """
  for word in overrides:
    name = word.partition('=')[0].partition('.')[2]
    try:
      config_path.get_type(name, fields)
    except _FIELD_ERRORS:
      return word
  return f'one of {" ".join(overrides)}'


def describe_flag_error(error: flags.Error) -> str:
  """Returns absl's message, or says which type a flag of a wrong type takes.

  Args:
    error: what absl raised; "flag --NAME=VALUE: ..." if the type is wrong.
  """
  message = str(error).removesuffix(' ?')
  found = re.match(r'flag --([\w.]+)=(.*?): ', message)
  if found is None or found[1] not in flags.FLAGS:
    return f'{message}; see --help'
  kind = flags.FLAGS[found[1]].flag_type()
  given = f'--{found[1]}={escape.shortened(found[2])}'
  if _SECTION in message:
    return f'a section, not a setting: {given}; give --{found[1]}.FIELD=VALUE'
  if choices := re.search('value should be one of <(.*)>', message):
    names = choices[1].split('|')
    return (
      f'unknown value: {given}; use one of {", ".join(names)}'
      f'{did_you_mean(found[2], names)}'
    )
  if kind not in _TYPES:
    return f'{message}; see --help'
  return f'wrong type: {given}; give {_TYPES[kind]}'


def describe_flags(config: flags.FlagHolder, names: Sequence[str] = ()) -> str:
  """Returns a line or two for each flag of the module that defines `config`.

  Args:
    config: the flag --config.
    names: the flags to describe; () for all.
  """
  module = flags.FLAGS.find_module_defining_flag(config.name)
  shown = [
    flag
    for flag in flags.FLAGS.get_key_flags_for_module(module)
    if not names or flag.name in names
  ]
  lines = ['flags:']
  for flag in shown:
    if flag.name not in POD_FLAGS:
      lines += _flag_lines(flag)
    if flag.name == config.name:
      lines.append('  --config.FIELD=VALUE')
      lines.append('      Overrides a setting, such as --config.seed=1.')
  if pod := [flag for flag in shown if flag.name in POD_FLAGS]:
    lines += ['', 'on a pod of GPUs or TPUs:']
    for flag in pod:
      lines += _flag_lines(flag)
  return '\n'.join(lines)


def _flag_lines(flag: flags.Flag) -> list[str]:
  """Returns the name of a flag, and its help indented below it."""
  short = f'-{flag.short_name}, ' if flag.short_name else ''
  name = f'  {short}--{flag.name}'
  return [
    name if flag.boolean else f'{name}={flag.name.upper()}',
    *flags.text_wrap(flag.help or '', indent=' ' * 6).splitlines(),
  ]


def tidy(error: Exception) -> str:
  """Returns ml_collections' message on one line, without quotes around it."""
  lines = str(error.args[0]).replace('\\n', '\n').replace('\\', '').split('\n')
  return '. '.join(line.strip('\'"') for line in lines if line)
