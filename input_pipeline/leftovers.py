"""Makes temporary files and folders, and removes those of killed processes.

A process locks each one that it makes. The lock ends with the process, however
it ends, so an unlocked file or folder is a leftover. Process ids would not show
that: they are used again, and every container has its own.
"""

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator

# Folders cannot be locked on network file systems, but a file beside them can.
_LOCK = '.lock'
_PARTIAL = re.compile(r'\..*\.[0-9a-f]{12}\.partial', re.DOTALL)

_searched: set[str] = set()  # folders where partial files were looked for


@contextlib.contextmanager
def locked_file(name: Callable[[], str]) -> Iterator[tuple[str, int]]:
  """Makes a file that counts as in use until the block ends.

  Args:
    name: returns another path at each call.

  Yields:
    The path, and a descriptor to write the file with, which the caller closes.

  Raises:
    OSError: the file cannot be made.
  """
  while True:
    path = name()
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    _lock(descriptor)
    # Another process may have taken it for a leftover before it was locked.
    with contextlib.suppress(FileNotFoundError):
      if os.path.samestat(os.stat(path), os.fstat(descriptor)):
        break
    os.close(descriptor)
  # Both descriptors share the lock, so it lasts until both are closed.
  kept = os.dup(descriptor)
  try:
    yield path, descriptor
  finally:
    os.close(kept)


@contextlib.contextmanager
def locked_folder(name: Callable[[], str]) -> Iterator[str]:
  """Makes a folder that exists until the block ends, unless it is renamed.

  The arguments and errors are those of `locked_file`; it yields the path.
  """
  with locked_file(lambda: f'{name()}{_LOCK}') as (lock, descriptor):
    os.close(descriptor)
    path = lock.removesuffix(_LOCK)
    try:
      os.mkdir(path)
      yield path
    finally:
      shutil.rmtree(path, ignore_errors=True)
      with contextlib.suppress(OSError):
        os.unlink(lock)


def remove_leftovers(folder: str, is_ours: Callable[[str], bool]) -> None:
  """Removes what killed processes left in a folder.

  Whatever cannot be removed, or may be in use, stays: a leftover takes room but
  does no harm. Nothing is removed on a file system without locks.

  Args:
    folder: the folder; it may be missing.
    is_ours: whether a name is one that `locked_file` or `locked_folder` got.
  """
  with contextlib.suppress(OSError), os.scandir(folder) as entries:
    for entry in entries:
      if is_ours(entry.name.removesuffix(_LOCK)):
        if entry.is_file(follow_symlinks=False):
          _remove(entry.path)


def partial_name(path: str) -> str:
  """Returns a hidden name beside `path` that no other writer uses."""
  folder, name = os.path.split(path)
  # A file name has at most 255 bytes, and a character takes up to 4.
  return os.path.join(folder, f'.{name[:40]}.{uuid.uuid4().hex[:12]}.partial')


def remove_partial_files(folder: str) -> None:
  """Removes files that killed processes were writing, once for each folder."""
  folder = os.path.abspath(folder)
  if folder not in _searched:
    _searched.add(folder)
    remove_leftovers(folder, lambda x: bool(_PARTIAL.fullmatch(x)))


def _remove(path: str) -> None:
  """Removes a file unless it is in use, and the folder that it stands for."""
  with contextlib.suppress(OSError):
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
      if _lock(descriptor):
        if path.endswith(_LOCK):
          shutil.rmtree(path.removesuffix(_LOCK), ignore_errors=True)
        os.unlink(path)
    finally:
      os.close(descriptor)


def _lock(descriptor: int) -> bool:
  """Locks a file; returns False if another holds it or there are no locks."""
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError:
    return False
  return True
