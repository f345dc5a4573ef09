"""Files and URLs: bounded reads, whole writes, hashes and absolute paths."""

import contextlib
import errno
import hashlib
import io
import os
import pathlib
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from typing import IO, Any

from input_pipeline import leftovers, object_store
from input_pipeline.disk_sync import sync_folder
from input_pipeline.errors import UsageError, UserError
from input_pipeline.escape import quoted

# The most bytes that are read of a file. Lists have a line or an entry for
# each image: meta CSVs, detections, descriptions, indices. All other files
# that people or programs write are settings: cards, tables of classes, configs.
LIST_LIMIT = 512 << 20
SETTINGS_LIMIT = 16 << 20
# Replaces both limits, in MiB.
LIMIT_VARIABLE = 'OWDFA_MAX_FILE_MB'

# One slash: `pathlib` turns the two of a URL into one.
_URL = re.compile(r'[A-Za-z][A-Za-z0-9+.-]+:/')
_KINDS = {
  stat.S_IFIFO: 'a named pipe',
  stat.S_IFCHR: 'a device',
  stat.S_IFBLK: 'a device',
  stat.S_IFSOCK: 'a socket',
}


def absolute(path: str | os.PathLike, setting: str = 'the path') -> str:
  """Returns `path` with `~` expanded and made absolute; links stay links.

  Args:
    path: a file or a folder, which need not exist.
    setting: names the path in the error, such as '--workdir'.

  Raises:
    UserError: it is empty or a URL.
  """
  return os.path.abspath(os.path.expanduser(local_path(path, setting)))


def local_path(path: str | os.PathLike, setting: str = 'the path') -> str:
  """Returns `path` as text, unless it is empty or a URL.

  An empty path would be the current folder, and `gs://bucket` the folder
  `bucket` in a local folder `gs:`.

  Args:
    path: a file or a folder, which need not exist.
    setting: names the path in the error, such as '--workdir'.

  Raises:
    UserError: it is empty or a URL.
  """
  text = os.fspath(path)
  if not text.strip():
    raise UsageError(
      f'an empty path: {setting}={text!r}; give a file or a folder'
    )
  if _URL.match(text):
    raise UsageError(
      f'not a local path: {setting}={text} is a URL; give a local path (only '
      '--config.data.path, the --out of packing and, at gs://, the folder of a '
      'run may be URLs)'
    )
  return text


def path_type(setting: str) -> Callable[[str], pathlib.Path]:
  """Returns what argparse needs for a local path: a function of its text.

  Args:
    setting: names the path in the error, such as '--out'.
  """
  return lambda text: pathlib.Path(local_path(text, setting))


def cache_folder() -> str:
  """Returns the folder for files that can be made again, absolute.

  It is `$OWDFA_CACHE`, or `owdfa-jax` in the user's cache folder
  (`$XDG_CACHE_HOME`, by default `~/.cache`). For a user without a home folder
  it is ''.
  """
  if own := os.environ.get('OWDFA_CACHE'):
    return absolute(own)
  user = os.path.expanduser(os.environ.get('XDG_CACHE_HOME') or '~/.cache')
  # Without a home folder `~` stays, and would become a folder of that name.
  return '' if user.startswith('~') else absolute(f'{user}/owdfa-jax')


def open_regular(path: str | os.PathLike) -> io.BufferedReader:
  """Opens a regular file or a URL to read its bytes; refuses anything else.

  A named pipe would block until somebody writes, and a device such as
  /dev/zero never ends.

  Raises:
    OSError: the file cannot be opened or is not a regular file; `strerror` says
      why. For a folder it is an `IsADirectoryError`.
  """
  if object_store.is_remote(path):
    return object_store.open_object(path)
  return os.fdopen(_open_descriptor(path)[0], 'rb')


def _open_descriptor(path: str | os.PathLike) -> tuple[int, os.stat_result]:
  """Opens a regular local file, as `open_regular` does, and has its status."""
  # Opening a device may have an effect, so its kind is asked for first.
  try:
    status = os.stat(path)
  except ValueError as error:
    raise OSError(errno.EINVAL, str(error), os.fspath(path)) from error
  _check_regular(status, path)
  descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
  try:
    # Something else may have taken its place since.
    _check_regular(status := os.fstat(descriptor), path)
    return descriptor, status
  except BaseException:
    os.close(descriptor)
    raise


def read_regular(
  path: str | os.PathLike,
  limit: int = SETTINGS_LIMIT,
  variable: str = LIMIT_VARIABLE,
) -> bytes:
  """Returns the bytes of a regular file that is not too large.

  Args:
    path: the file.
    limit: the most bytes it may have, such as `LIST_LIMIT`.
    variable: the environment variable that replaces the limit, in MiB.

  Raises:
    OSError: as `open_regular`, or the file has more bytes than the limit.
    UserError: the environment variable holds no number.
  """
  limit = limit_bytes(limit, variable)
  content = read_at_most(path, limit)
  if content is None:
    size = 0 if object_store.is_remote(path) else os.path.getsize(path)
    raise too_large(path, size, limit, variable)
  return content


def read_at_most(path: str | os.PathLike, limit: int) -> bytes | None:
  """Returns the bytes of a regular file; None if they are more than `limit`.

  Raises:
    OSError: as `open_regular`.
  """
  if object_store.is_remote(path):
    return object_store.read_object(path, limit)
  # Not through a file object, whose making takes as long as a small read.
  descriptor, status = _open_descriptor(path)
  try:
    if (size := status.st_size) > limit:
      return None
    content = os.read(descriptor, size + 1)
    # It may grow, its file system may give no size, or a part of it.
    while len(content) not in (size, limit + 1) and (
      more := os.read(descriptor, limit + 1 - len(content))
    ):
      content += more
  finally:
    os.close(descriptor)
  return content if len(content) <= limit else None


def read_text(path: str | os.PathLike, limit: int = SETTINGS_LIMIT) -> str:
  """Returns the text of a regular UTF-8 file that is not too large.

  A byte order mark is left out. Line ends stay as they are.

  Raises:
    OSError: as `read_regular`.
    UnicodeDecodeError: the file is not UTF-8.
    UserError: `$OWDFA_MAX_FILE_MB` holds no number.
  """
  return read_regular(path, limit).decode('utf-8-sig')


def too_large(
  path: str | os.PathLike,
  size: int,
  limit: int,
  variable: str = LIMIT_VARIABLE,
) -> OSError:
  """Returns the error for a file of more bytes than `limit`."""
  return OSError(
    errno.EFBIG,
    f'{max(size, limit + 1):,} bytes, over the limit of {limit >> 20:,} MiB; '
    f'${variable} raises it',
    os.fspath(path),
  )


def limit_bytes(limit: int, variable: str = LIMIT_VARIABLE) -> int:
  """Returns the limit that holds, in bytes: the environment's, or `limit`.

  Raises:
    UserError: the environment variable holds no number.
  """
  text = os.environ.get(variable, '')
  if not text:
    return limit
  if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 10**8):
    raise UserError(
      f'out of range: ${variable}={quoted(text)}; give a whole number of MiB '
      'from 1 to 99999999'
    )
  return int(text[:9]) << 20


def _check_regular(status: os.stat_result, path: str | os.PathLike) -> None:
  kind = stat.S_IFMT(status.st_mode)
  if kind == stat.S_IFDIR:
    code = errno.EISDIR
    raise IsADirectoryError(code, os.strerror(code), os.fspath(path))
  if kind != stat.S_IFREG:
    what = _KINDS.get(kind, 'something else')
    raise OSError(
      errno.EINVAL, f'it is {what}, not a regular file', os.fspath(path)
    )


def file_sha256(path: str | os.PathLike) -> str:
  """Returns the SHA-256 of a file's bytes, hexadecimal.

  Raises:
    UserError: the file cannot be read.
  """
  try:
    with open_regular(path) as file:
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
  block raises, `path` stays as it was and the hidden file is removed. Hidden
  files that killed processes left in the folder are removed as well. Several
  processes and threads may write the same path: the last one wins. A file at
  `path` keeps its permissions. A link there is replaced, and the file that it
  points to stays as it is: it may be one of the user's images. A device or a
  pipe, such as /dev/stdout, is written directly. At a URL, the content goes to
  a temporary file, which is uploaded.

  Args:
    path: the file to write; its folder is made if need be.
    text: open as UTF-8 text without newline translation, instead of bytes.
    what: names the content in the error, such as 'the report'.
    remedy: tells the user what to do about the error.
    sync: wait until the content is on the disk, so that a crash of the machine
      cannot leave a shortened file. This takes some milliseconds per file.

  Yields:
    The open file.

  Raises:
    UserError: the file cannot be written.
  """
  if object_store.is_remote(path):
    with _write_at_url(path, text, what, remedy) as file:
      yield file
    return
  name = local_path(path, what)
  folder = os.path.dirname(name) or '.'
  partial = ''

  def next_partial() -> str:
    nonlocal partial
    partial = leftovers.partial_name(name)
    return partial

  options: dict[str, Any] = {'mode': 'wb'}
  if text:
    options = {'mode': 'w', 'encoding': 'utf-8', 'newline': ''}
  try:
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(name) and not os.path.isfile(name):
      with open(name, **options) as file:
        yield file
      return
    leftovers.remove_partial_files(folder)
    with leftovers.locked_file(next_partial) as (_, descriptor):
      try:
        with open(descriptor, **options) as file:
          yield file
          file.flush()
          if sync:
            os.fsync(file.fileno())
        if os.path.isfile(name) and not os.path.islink(name):
          shutil.copymode(name, partial)
        os.replace(partial, name)
        if sync:
          sync_folder(folder)
      finally:
        with contextlib.suppress(OSError):
          os.unlink(partial)
  except OSError as error:
    # The block may fail at another file, which the error then names.
    if error.filename not in (None, partial, name, folder):
      raise
    raise UserError(
      f'cannot write {what}: {name} ({error.strerror or error}); {remedy}'
    ) from error


@contextlib.contextmanager
def _write_at_url(
  url: str | os.PathLike, text: bool, what: str, remedy: str
) -> Iterator[IO[Any]]:
  """Opens a file that becomes the object at a URL; see `write_whole`."""
  name = os.fspath(url)
  try:
    with object_store.write_object(name, text=text) as file:
      yield file
  except OSError as error:
    if error.filename not in (None, name):
      raise
    raise UserError(
      f'cannot write {what}: {name} ({error.strerror or error}); {remedy}'
    ) from error
