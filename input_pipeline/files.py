"""Writes local files whole or not at all, and makes paths absolute."""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import IO, Any

from input_pipeline.errors import UserError


def absolute(path: str | os.PathLike) -> str:
  """Returns `path` with `~` expanded and made absolute; links stay links."""
  return os.path.abspath(os.path.expanduser(os.fspath(path)))


@contextlib.contextmanager
def write_whole(
  path: str | os.PathLike,
  *,
  text: bool = False,
  what: str = 'the file',
  remedy: str = 'free some space or choose another place',
) -> Iterator[IO[Any]]:
  """Opens a file that appears at `path` only once it is complete.

  The content goes to a hidden file beside `path`, reaches the disk, and is
  then renamed. If the block raises, `path` stays as it was and the hidden file
  is removed. Several processes may write the same path: the last one wins.

  Args:
    path: the file to write; its folder is made if need be.
    text: open as UTF-8 text without newline translation, instead of bytes.
    what: names the content in the error, such as 'the report'.
    remedy: tells the user what to do about the error.

  Yields:
    The open file.

  Raises:
    UserError: the file cannot be written.
  """
  path = os.fspath(path)
  folder, name = os.path.split(path)
  # The name tells apart the processes of several machines on one file system.
  partial = os.path.join(
    folder, f'.{name}.{socket.gethostname()}-{os.getpid()}.partial'
  )
  options: dict[str, Any] = {'mode': 'wb'}
  if text:
    options = {'mode': 'w', 'encoding': 'utf-8', 'newline': ''}
  try:
    os.makedirs(folder or '.', exist_ok=True)
    try:
      with open(partial, **options) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
      os.replace(partial, path)
    finally:
      with contextlib.suppress(OSError):
        os.unlink(partial)
  except OSError as error:
    raise UserError(
      f'cannot write {what}: {path} ({error.strerror or error}); {remedy}'
    ) from error
