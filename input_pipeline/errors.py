"""The exception for mistakes that a user can put right, and how it is shown."""

import contextlib
import sys
from collections.abc import Iterable, Iterator


class UserError(Exception):
  """A mistake that the user can fix; shown as one line, without a traceback.

  The message says what is wrong, where (file, field, value) and what to do.
  """


def check_choice(setting: str, value: object, choices: Iterable[str]) -> None:
  """Raises `UserError` unless `value` is one of `choices`.

  Args:
    setting: the setting as the user writes it, such as '--config.model.dtype'.
    value: what the user gave.
    choices: the values that are allowed, in the order to name them.
  """
  allowed = list(choices)
  if value not in allowed:
    raise UserError(
      f'unknown value: {setting}={value}; use one of {", ".join(allowed)}'
    )


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
  """Turns a `UserError` into one line on stderr and exit status 1.

  Every command wraps its work in this. Any other exception is a defect of the
  program and keeps its traceback.
  """
  try:
    yield
  except UserError as error:
    line = ' '.join(str(error).split())
    print(f'error: {line}', file=sys.stderr)
    sys.exit(1)
