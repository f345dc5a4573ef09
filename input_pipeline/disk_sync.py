"""Waits until files are on the disk, so that a crash leaves them whole."""

import contextlib
import os


def sync_folder(folder: str | os.PathLike) -> None:
  """Waits until the names in a folder are on the disk.

  Does nothing on a network file system that cannot do that for folders.
  """
  with contextlib.suppress(OSError):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
      os.fsync(descriptor)
    finally:
      os.close(descriptor)


def sync_tree(folder: str | os.PathLike) -> None:
  """Waits until all files below a folder are on the disk.

  Raises:
    OSError: a file cannot be written; its `filename` is set.
  """
  for directory, _, names in os.walk(folder):
    for name in names:
      path = os.path.join(directory, name)
      descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
      try:
        os.fsync(descriptor)
      except OSError as error:
        error.filename = path
        raise
      finally:
        os.close(descriptor)
    sync_folder(directory)
