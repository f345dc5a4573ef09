"""Local files: whole writes, hashes and absolute paths."""

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import IO, Any

from input_pipeline.errors import UserError


def absolute(path: str | os.PathLike) -> str:
  """Returns `path` with `~` expanded and made absolute; links stay links."""
  return os.path.abspath(os.path.expanduser(os.fspath(path)))


def cache_folder() -> str:
  """Returns the folder for files that can be made again, absolute.

  It is `$OWDFA_CACHE`, or `owdfa-jax` in the user's cache folder
  (`$XDG_CACHE_HOME`, by default `~/.cache`). For a user without a home folder
  it is ''.
  """
  own = os.environ.get('OWDFA_CACHE')
  if own:
    return absolute(own)
  user = os.environ.get('XDG_CACHE_HOME') or os.path.join('~', '.cache')
  user = os.path.expanduser(user)
  # Without a home folder `~` stays, and would become a folder of that name.
  return '' if user.startswith('~') else absolute(f'{user}/owdfa-jax')


def file_sha256(path: str | os.PathLike) -> str:
  """Returns the SHA-256 of a file's bytes, hexadecimal.

  Raises:
    UserError: the file cannot be read.
  """
  try:
    with open(path, 'rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    raise UserError(
      f'cannot read {os.fspath(path)}: {error.strerror}; check the path and '
      'its permissions'
    ) from error


@contextlib.contextmanager
def write_whole(
  path: str | os.PathLike,
  *,
  text: bool = False,
  what: str = 'the file',
  remedy: str = 'free some space or choose another place',
  sync: bool = True,
) -> Iterator[IO[Any]]:
  """Opens a file that appears at `path` only once it is complete.

  The content goes to a hidden file beside `path`, which is then renamed. If the
  block raises, `path` stays as it was and the hidden file is removed. Several
  processes and threads may write the same path: the last one wins. A file at
  `path` keeps its permissions. A link there is replaced, and the file that it
  points to stays as it is: it may be one of the user's images. What is no file,
  such as /dev/stdout, is written directly.

  Args:
    path: the file to write; its folder is made if need be.
    text: open as UTF-8 text without newline translation, instead of bytes.
    what: names the content in the error, such as 'the report'.
    remedy: tells the user what to do about the error.
    sync: wait until the content is on the disk, so that a crash of the machine
      cannot leave a shortened file. This takes some milliseconds a file.

  Yields:
    The open file.

  Raises:
    UserError: the file cannot be written.
  """
  name = os.fspath(path)
  partial = _partial_name(name)
  options: dict[str, Any] = {'mode': 'wb'}
  if text:
    options = {'mode': 'w', 'encoding': 'utf-8', 'newline': ''}
  try:
    os.makedirs(os.path.dirname(name) or '.', exist_ok=True)
    if os.path.exists(name) and not os.path.isfile(name):
      with open(name, **options) as file:
        yield file
      return
    try:
      with open(partial, **options) as file:
        yield file
        file.flush()
        if sync:
          os.fsync(file.fileno())
      if os.path.isfile(name) and not os.path.islink(name):
        shutil.copymode(name, partial)
      os.replace(partial, name)
    finally:
      with contextlib.suppress(OSError):
        os.unlink(partial)
  except OSError as error:
    # The block may fail at another file, which the error then names.
    if error.filename not in (None, partial, name, os.path.dirname(name)):
      raise
    raise UserError(
      f'cannot write {what}: {name} ({error.strerror or error}); {remedy}'
    ) from error


def _partial_name(path: str) -> str:
  """Returns a hidden name beside `path` that no other writer uses."""
  folder, name = os.path.split(path)
  # A file name has at most 255 bytes, and a character takes up to 4.
  return os.path.join(folder, f'.{name[:40]}.{uuid.uuid4().hex[:12]}.partial')
