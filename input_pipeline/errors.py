"""The exception for mistakes that a user can correct, and how it is shown."""

import contextlib
import difflib
import io
import os
import select
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping

from input_pipeline import escape

# The exit status of a command line that names no command, option or file, as
# argparse has it.
MISUSED = 2
# The exit status after Ctrl-C, as shells report it for other programs.
INTERRUPTED = 128 + signal.SIGINT
# The commands that make what is missing, with and without the package being
# installed.
BY_PACK = '`owdfa pack` (python -m input_pipeline.pack)'
BY_PREPARE = '`owdfa prepare` (python -m input_pipeline.prepare)'


class UserError(Exception):
  """A mistake that the user can fix; shown as one line, without a traceback.

  The message says what is wrong, where (file, field, value) and what to do.
  """


class UsageError(UserError):
  """A command line that cannot be understood, such as an unknown option."""


def did_you_mean(given: str, names: Iterable[str]) -> str:
  """Returns what a misspelt name may stand for, to end a message with.

  Args:
    given: what the user wrote.
    names: the names that there are.

  Returns:
    Such as '; did you mean epochs?', or '' if no name is near.
  """
  near = difflib.get_close_matches(given, [*names], n=1)
  return f'; did you mean {near[0]}?' if near else ''


def check_choice(setting: str, value: object, choices: Iterable[str]) -> None:
  """Raises `UsageError` unless `value` is one of `choices`.

  Args:
    setting: the setting as the user writes it, such as '--config.model.dtype'.
    value: what the user gave.
    choices: the values that are allowed, in the order to name them.
  """
  allowed = list(choices)
  if value not in allowed:
    given = escape.shortened(str(value))
    raise UsageError(
      f'unknown value: {setting}={given}; use one of {", ".join(allowed)}'
      f'{did_you_mean(given, allowed)}'
    )


@contextlib.contextmanager
def reworded(words: Mapping[str, str]) -> Iterator[None]:
  """Says errors in the words of a caller whose options have other names.

  Args:
    words: what stands for what, such as `{'--config.data.path=': '--data '}`.
  """
  try:
    yield
  except UserError as error:
    text = str(error)
    for old, new in words.items():
      text = text.replace(old, new)
    raise type(error)(text) from error


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
  """Turns a `UserError` into one line on stderr and exit status 1, or 2.

  The status is 2 for a `UsageError`.

  Every command wraps all of its work in this, also the reading of its command
  line: `@one_line_errors()` above its `main`. Ctrl-C ends the command with one
  word, and with the text of the `KeyboardInterrupt` if it has one. If the
  program that reads stdout has ended, as in `owdfa train --help | head`, the
  command ends without a message. If stdout is a file on a full disk, it ends
  with one line. Any other exception is a defect of the program and keeps its
  traceback.
  """
  if isinstance(sys.stdout, io.TextIOWrapper):
    # A terminal that is not UTF-8 lacks letters that names may have.
    sys.stdout.reconfigure(errors='backslashreplace')
  try:
    try:
      yield
    except UserError as error:
      print(f'error: {escape.message(str(error))}', file=sys.stderr)
      sys.exit(MISUSED if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt as error:
      what = f': {error}' if str(error) else ''
      print(f'interrupted{what}', file=sys.stderr)
      sys.exit(INTERRUPTED)
    finally:
      # Python would flush at the exit, where the error cannot be caught.
      print(end='', flush=True)
  except BrokenPipeError:
    if not _nobody_reads_stdout():
      raise  # a pipe of the program itself
    _close_stdout()
    sys.exit(128 + signal.SIGPIPE)  # as shells report it for other programs
  except OSError:
    why = _stdout_fails()
    if not why:
      raise
    _close_stdout()
    print(
      f'error: cannot write to stdout: {why}; free some space or send the '
      'output elsewhere',
      file=sys.stderr,
    )
    sys.exit(1)


def _close_stdout() -> None:
  """Drops what could not be written: Python flushes once more at the exit."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stdout_fails() -> str:
  """Returns why stdout cannot be written, or ''."""
  try:
    # Python drops what it failed to write, so another flush would do nothing.
    os.write(sys.stdout.fileno(), b'\n')
  except io.UnsupportedOperation:  # no file, such as a test's
    return ''
  except OSError as error:
    return error.strerror or str(error)
  return ''


def _nobody_reads_stdout() -> bool:
  """Returns whether stdout is a pipe whose other end is closed."""
  poll = select.poll()
  poll.register(sys.stdout.fileno(), 0)
  return any(event & select.POLLERR for _, event in poll.poll(0))
