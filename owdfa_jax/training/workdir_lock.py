"""A lock on a workdir, so that two processes do not write to one run.

The lock is a record lock (`lockf`) on a file. The system releases it when the
process ends, in whatever way. Forked workers do not inherit it, unlike a lock
of `flock`. It works between machines on NFS with a lock service, and on Lustre
mounted with `flock`. Reading a run needs no lock. A store at a URL has none.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import jax
from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.object_store import is_remote
from owdfa_jax.parallel import from_first_process
from owdfa_jax.training.progress import say

# The file in the workdir. It stays there: removing it would let two processes
# lock two files of the same name.
LOCK_FILE = '.lock'
# The result, in place of an error number, if another process has the lock.
_HELD = -1
# The error numbers of file systems without locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)


@contextlib.contextmanager
def lock_workdir(workdir: epath.Path) -> Iterator[None]:
  """Holds the lock of a workdir in process 0; makes the folder if need be.

  All processes of a pod must enter this at the same point of the program. If
  the file system has no locks, or it is a store, it says so and goes on.

  Raises:
    UserError: another process holds the lock, or the folder cannot be written.
  """
  if is_remote(workdir):
    say(
      f'no lock: {workdir} is in a store; make sure that no other process '
      'trains there',
      always=True,
    )
    yield
    return
  path, descriptor, error_number = workdir / LOCK_FILE, None, 0
  if jax.process_index() == 0:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
      error_number = _try_to_lock(descriptor)
    except OSError as error:
      error_number = error.errno or errno.EIO
  try:
    # If process 0 stopped alone, the others would wait for it.
    error_number = from_first_process(error_number)
    if error_number in _NO_LOCKS:
      say(
        f'cannot lock {workdir} ({os.strerror(error_number)}): its file system '
        'has no locks; make sure that no other process trains there',
        always=True,
      )
    elif error_number == _HELD:
      holder = '' if descriptor is None else f' ({_read_holder(descriptor)})'
      raise UserError(
        f'another process trains in the workdir: {workdir}{holder}; wait until '
        'it ends, stop it, or choose another --workdir'
      )
    elif error_number:
      raise UserError(
        f'the workdir cannot be locked: {path} ({os.strerror(error_number)}); '
        'choose another --workdir'
      )
    yield
  finally:
    # Releases the lock.
    if descriptor is not None:
      os.close(descriptor)


def _try_to_lock(descriptor: int) -> int:
  """Locks a file; returns 0, `_HELD`, or the number of the system's error."""
  try:
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError as error:
    if error.errno in (errno.EACCES, errno.EAGAIN):
      return _HELD
    return error.errno or errno.EIO
  _write_holder(descriptor)
  return 0


def _write_holder(descriptor: int) -> None:
  """Writes which process holds the lock; others show that in their error."""
  holder = {
    'host': socket.gethostname(),
    'pid': os.getpid(),
    'since': datetime.now(UTC).isoformat(timespec='seconds'),
  }
  # A full disk must not keep a run from being resumed and evaluated.
  with contextlib.suppress(OSError):
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _read_holder(descriptor: int) -> str:
  """Returns which process holds the lock, as the file names it."""
  try:
    holder = json.loads(os.pread(descriptor, 4096, 0))
    return (
      f'process {holder["pid"]} on {holder["host"]}, since {holder["since"]}'
    )
  except (OSError, ValueError, KeyError, TypeError):
    return 'its name is not readable'
