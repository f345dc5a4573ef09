"""The command line of the commands that run a config file."""

import sys
import traceback
from collections.abc import Sequence

import ml_collections
from absl import flags

from input_pipeline.errors import UserError
from owdfa_jax.commands.config_files import find_config

_HELP_FLAGS = ('-h', '-help', '--help')


def command_line(argv: Sequence[str] | None, prog: str | None) -> list[str]:
  """Makes arguments those of the process, and returns its command line.

  ml_collections looks for the fields of a config to override in `sys.argv`.

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

  Returns:
    What remains without the flags: the program's name.

  Raises:
    UserError: the command line is wrong.
  """
  if any(word in _HELP_FLAGS for word in argv[1:]):
    print(f'{description.strip()}\n\n{describe_flags(config)}')
    sys.exit(0)
  given = [word for word in argv if word.startswith('--config=')]
  no_config_file = UserError(
    f'no such config file: {" ".join(given)}; give --config={example}'
  )
  try:
    rest = flags.FLAGS(with_config_path(argv))
  except (AttributeError, KeyError) as error:
    if not _is_from_ml_collections(error):
      raise  # a defect of the config file
    overrides = [w for w in argv if w.startswith('--config.')]
    raise UserError(
      f'no such config field: one of {" ".join(overrides)} ({tidy(error)}); '
      'configs/default.py and the file given by --config list the fields'
    ) from error
  except flags.Error as error:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, UserError):
      raise cause from error
    raise UserError(str(error)) from error
  except OSError as error:
    raise no_config_file from error
  if len(rest) > 1:
    raise UserError(f'unknown argument: {rest[1]}; flags begin with --')
  if config.value is None:
    raise UserError(f'no config given: give --config={example}')
  if not isinstance(config.value, ml_collections.ConfigDict):
    raise no_config_file
  if needs not in config.value:
    raise UserError(
      f'a config of another command: {" ".join(given)} has no {needs!r}; '
      f'give --config={example}'
    )
  return rest


def with_config_path(argv: Sequence[str]) -> list[str]:
  """Returns `argv` with the path of a shipped config in place of its name."""
  words: list[str] = []
  for word in argv:
    name, equals, value = word.partition('=')
    if words and words[-1] in ('--config', '-config'):
      words.append(find_config(word))
    elif equals and name in ('--config', '-config'):
      words.append(f'{name}={find_config(value)}')
    else:
      words.append(word)
  return words


def describe_flags(config: flags.FlagHolder) -> str:
  """Returns a line or two for each flag of the module that defines `config`."""
  module = flags.FLAGS.find_module_defining_flag(config.name)
  lines = ['flags:']
  for flag in flags.FLAGS.get_key_flags_for_module(module):
    name = f'  --{flag.name}'
    lines.append(name if flag.boolean else f'{name}={flag.name.upper()}')
    lines += flags.text_wrap(flag.help, indent=' ' * 6).splitlines()
  lines.append('  --config.FIELD=VALUE')
  lines.append('      Overrides a field of the config.')
  return '\n'.join(lines)


def _is_from_ml_collections(error: Exception) -> bool:
  *_, (frame, _) = traceback.walk_tb(error.__traceback__)
  return frame.f_globals['__name__'].startswith('ml_collections.')


def tidy(error: Exception) -> str:
  """Returns ml_collections' message on one line, without quotes around it."""
  lines = str(error.args[0]).replace('\\n', '\n').replace('\\', '').split('\n')
  return '. '.join(line.strip('\'"') for line in lines if line)
