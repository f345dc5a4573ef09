"""The one exception for mistakes a person can put right."""

import contextlib
import sys
from collections.abc import Iterator


class UserError(Exception):
  """Something the caller can fix; shown as one line, without a traceback.

  The message says what is wrong, where (file, field, value) and what to do.
  """


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
  """Turns a `UserError` into one line on stderr and exit status 1.

  Every command wraps its work in this; any other exception is a defect of
  ours and keeps its traceback.
  """
  try:
    yield
  except UserError as error:
    line = ' '.join(str(error).split())
    print(f'error: {line}', file=sys.stderr)
    sys.exit(1)
