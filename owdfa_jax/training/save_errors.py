"""Finds why a save failed, and silences what the libraries print about it."""

import contextlib
import logging
import os
import re
import sys
import threading
from types import TracebackType

from absl import logging as absl_logging

from input_pipeline.escape import shortened

# Their errors are those of a store.
_CLIENTS_OF_STORES = ('aiohttp', 'gcsfs', 'google')


def storage_reason(error: BaseException) -> str | None:
  """Returns why the file system refused a write; None for other errors."""
  if isinstance(error, OSError):
    # Some errors have no number, some not even a message.
    return (
      error.strerror or ' '.join(str(error).split()) or type(error).__name__
    )
  # TensorStore raises a ValueError, with the number of the operating system's
  # error at the end of a long message.
  text = ' '.join(str(error).split())
  if found := re.search(r"os_error_code='(\d+)'", text):
    return os.strerror(int(found[1]))
  # A store: the beginning of TensorStore's message says what it refused.
  package = type(error).__module__.partition('.')[0]
  of_store = isinstance(error, ValueError) and 'gs://' in text
  if of_store or package in _CLIENTS_OF_STORES:
    return shortened(text or type(error).__name__, 200)
  return None


def wait_for_other_writes(seconds: float = 10) -> None:
  """Waits for the threads of a save of which one thread has failed.

  Otherwise they print errors while the process ends.

  Args:
    seconds: how long to wait for each.
  """
  for thread in threading.enumerate():
    if type(thread).__module__.startswith('orbax.'):
      # Joining a thread of Orbax raises the error that ended it.
      with contextlib.suppress(Exception):
        thread.join(seconds)


def silence_save_errors() -> None:
  """Keeps tracebacks of saves that the file system refused off stderr.

  The caller gets the error itself and reports it in one line. Orbax has logged
  it by then, with the traceback of each of its threads, and TensorStore reports
  every write that ends after the first failure. asyncio reports the writes
  whose errors nobody has asked for, such as those of a save in progress while
  the run ends for another reason. Only these reports are silenced: any other
  error in a thread of these libraries is printed.

  The filter stays until the process ends, because the reports come late.
  """
  for logger in absl_logging.get_absl_logger(), logging.getLogger('asyncio'):
    logger.addFilter(_is_worth_logging)
  if sys.unraisablehook is not _report_unraisable:
    global _report_before
    _report_before = sys.unraisablehook
    sys.unraisablehook = _report_unraisable


_report_before = sys.unraisablehook


def _is_worth_logging(record: logging.LogRecord) -> bool:
  """Returns False for a log record of a refused write."""
  error = record.exc_info[1] if record.exc_info else None
  return error is None or storage_reason(error) is None


def _report_unraisable(unraisable: 'sys.UnraisableHookArgs') -> None:
  """Forwards an error that cannot be caught, unless it is of a late write."""
  if not _is_late_write(unraisable.exc_value, unraisable.exc_traceback):
    _report_before(unraisable)


def _is_late_write(
  error: BaseException | None, traceback: TracebackType | None
) -> bool:
  """Returns whether an error is of a write that ended after its event loop."""
  if not isinstance(error, RuntimeError) or traceback is None:
    return False
  # TensorStore's own threads call asyncio; there is no Python below it.
  caller = traceback.tb_frame.f_code.co_name
  return caller == 'call_soon_threadsafe' and 'loop is closed' in str(error)
