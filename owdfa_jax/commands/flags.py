"""The command line of the commands that run a config file."""

from collections.abc import Sequence

import ml_collections
from absl import flags

from input_pipeline.errors import UserError


def parse(
  argv: Sequence[str], config: flags.FlagHolder, *, example: str, needs: str
) -> list[str]:
  """Parses the command line, in place of absl's own pages of errors.

  Args:
    argv: the program's name and its arguments.
    config: the flag `--config`.
    example: a value of it, for those who gave none.
    needs: a field that tells the configs of this command from others.

  Returns:
    What is left once the flags are taken out: the program's name.

  Raises:
    UserError: for whatever is wrong with it.
  """
  given = [word for word in argv if word.startswith('--config=')]
  no_config_file = UserError(
    f'no such config file: {" ".join(given)}; give --config={example}'
  )
  try:
    rest = flags.FLAGS(argv)
  except (AttributeError, KeyError) as error:
    overrides = [w for w in argv if w.startswith('--config.')]
    raise UserError(
      f'no such config field: one of {" ".join(overrides)} ({tidy(error)}); '
      'see configs/default.py and the file given by --config for the fields '
      'there are'
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
    raise UserError(f'nothing to run: give --config={example}')
  if not isinstance(config.value, ml_collections.ConfigDict):
    raise no_config_file
  if needs not in config.value:
    raise UserError(
      f'a config of another command: {" ".join(given)} has no {needs!r}; '
      f'give --config={example}'
    )
  return rest


def tidy(error: Exception) -> str:
  """ml_collections' words on a field, without its quotes and line breaks."""
  lines = str(error.args[0]).replace('\\n', '\n').replace('\\', '').split('\n')
  return '. '.join(line.strip('\'"') for line in lines if line)
