"""A lock on a table of answers, so that two commands do not write one table."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator

import jax

from input_pipeline.errors import UserError
from input_pipeline.storage import place_beside
from owdfa_jax.parallel import from_first_process

_SUFFIX = '.lock'
# The result, in place of an error number, if another process has the lock.
_HELD = -1


@contextlib.contextmanager
def lock_table(table: str | os.PathLike[str]) -> Iterator[None]:
  """Holds the lock of a table in process 0, by the file `TABLE.lock`.

  The system releases it when the process ends, in whatever way. All processes
  of a pod must enter this at the same point of the program. A file system
  without locks gives none.

  Args:
    table: the path of the table that is to be written.

  Raises:
    UserError: another process writes the table, or its folder cannot be
      written.
  """
  path = f'{os.path.abspath(place_beside(table))}{_SUFFIX}'
  descriptor, found = None, 0
  if jax.process_index() == 0:
    try:
      descriptor = _open_locked(path)
      found = _HELD if descriptor is None else 0
    except OSError as error:
      found = error.errno or errno.EIO
  try:
    # If process 0 stopped alone, the others would wait for it.
    found = from_first_process(found)
    if found == _HELD:
      raise UserError(
        f'another attribution writes the table: {os.fspath(table)}; wait until '
        'it ends, or give another --out'
      )
    if found:
      raise UserError(
        f'cannot write the attributions: {path} ({os.strerror(found)}); give '
        'another --out'
      )
    yield
  finally:
    if descriptor is not None:
      with contextlib.suppress(OSError):
        os.unlink(path)
      os.close(descriptor)


def _open_locked(path: str) -> int | None:
  """Makes and locks a file; returns None if another process holds the lock."""
  os.makedirs(os.path.dirname(path), exist_ok=True)
  while True:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      os.close(descriptor)
      return None
    except OSError:
      return descriptor  # a file system without locks
    # Whoever had it may have removed the file in the meantime.
    with contextlib.suppress(FileNotFoundError):
      if os.path.samestat(os.stat(path), os.fstat(descriptor)):
        return descriptor
    os.close(descriptor)
