"""Objects of a store, such as gs://bucket/run/config.json, through fsspec.

A store has no folders, no renaming and no locks. It puts an object there whole
or not at all, so that writing one needs no hidden file beside it.
"""

import contextlib
import errno
import io
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import fsspec

from input_pipeline.errors import UsageError

_ONE_SLASH = re.compile(r'([A-Za-z][A-Za-z0-9+.-]+):/(?!/)')  # gs:/bucket
# Listings that fsspec keeps would hide what other processes write.
fsspec.config.conf.setdefault('gcs', {}).setdefault('use_listings_cache', False)
# One says of each file how it will be read; the other writes a traceback for
# each error that it also raises.
logging.getLogger('fsspec').setLevel(logging.WARNING)
logging.getLogger('gcsfs').setLevel(logging.CRITICAL)


def is_remote(path: str | os.PathLike) -> bool:
  """Returns whether `path` is a URL rather than a local path."""
  return '://' in os.fspath(path)


def check_slashes(path: str | os.PathLike, setting: str) -> None:
  """Raises `UsageError` for a URL with one slash, such as gs:/bucket/folder.

  A path that exists passes, such as one below a folder `gs:`.

  Args:
    path: a path or a URL.
    setting: names it in the error, such as '--out'.
  """
  text = os.fspath(path)
  match = _ONE_SLASH.match(text)
  if match and not os.path.exists(f'{match[1]}:'):
    raise UsageError(
      f'a URL with one slash: {setting}={text}; write '
      f'{match[1]}://{text[match.end() :]}'
    )


def file_system(url: str | os.PathLike) -> tuple[Any, str]:
  """Returns the file system of a URL, and the URL's name in it.

  Raises:
    ImportError: the package for such URLs is not installed.
  """
  return fsspec.core.url_to_fs(os.fspath(url))


@contextlib.contextmanager
def os_errors(url: str | os.PathLike) -> Iterator[None]:
  """Turns any error of a store into an `OSError` with a reason and the URL.

  Each file system raises its own kinds of exceptions, so all are caught.

  Raises:
    FileNotFoundError: there is no such object.
    OSError: the store refused, or cannot be reached.
  """
  name = os.fspath(url)
  try:
    yield
  except FileNotFoundError as error:
    code = errno.ENOENT
    raise FileNotFoundError(code, os.strerror(code), name) from error
  except Exception as error:
    why = getattr(error, 'strerror', None) or str(error) or repr(error)
    raise OSError(errno.EIO, ' '.join(why.split())[:300], name) from error


def open_object(url: str | os.PathLike) -> io.BufferedReader:
  """Opens an object to read its bytes, some of them at a time.

  Raises:
    OSError: as `os_errors`.
  """
  with os_errors(url):
    system, name = file_system(url)
    # Its own `readline` takes no length.
    return io.BufferedReader(system.open(name, 'rb'))


def read_object(url: str | os.PathLike, limit: int) -> bytes | None:
  """Returns the bytes of an object; None if they are more than `limit`.

  Raises:
    OSError: as `os_errors`.
  """
  with os_errors(url), open_object(url) as file:
    content = file.read(limit + 1)
  return content if len(content) <= limit else None


@contextlib.contextmanager
def write_object(
  url: str | os.PathLike, *, text: bool = False
) -> Iterator[IO[Any]]:
  """Opens a local file that becomes an object once the block has ended.

  If the block raises, the object stays as it was.

  Args:
    url: of the object.
    text: open as UTF-8 text without newline translation, instead of bytes.

  Raises:
    OSError: as `os_errors`.
  """
  with tempfile.NamedTemporaryFile('w+b') as content:
    options: dict[str, Any] = {'mode': 'wb'}
    if text:
      options = {'mode': 'w', 'encoding': 'utf-8', 'newline': ''}
    # The second descriptor is closed, so that nothing stays in a buffer.
    with open(content.name, **options) as file:
      yield file
    upload_file(content.name, url)


def upload_file(path: str | os.PathLike, url: str | os.PathLike) -> None:
  """Copies a local file to an object.

  Raises:
    OSError: as `os_errors`, or the object has fewer bytes.
  """
  size = os.path.getsize(path)
  with os_errors(url):
    system, name = file_system(url)
    system.put_file(os.fspath(path), name)
    # A size that the client kept would be that of the object before.
    system.invalidate_cache()
    found = system.size(name)
    if found != size:
      raise OSError(errno.EIO, f'cut short: {found} bytes instead of {size}')


def download_file(url: str | os.PathLike, path: str | os.PathLike) -> None:
  """Copies an object to a local file; its folder is made if need be.

  Raises:
    OSError: as `os_errors`, or the file cannot be written.
  """
  os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
  with os_errors(url):
    system, name = file_system(url)
    system.get_file(name, os.fspath(path))


def object_size(url: str | os.PathLike) -> int:
  """Returns the size of an object in bytes.

  Raises:
    OSError: as `os_errors`.
  """
  with os_errors(url):
    system, name = file_system(url)
    return system.size(name)


def object_exists(url: str | os.PathLike) -> bool:
  """Returns whether there is an object at a URL, or one below it.

  Raises:
    OSError: as `os_errors`.
  """
  with os_errors(url):
    system, name = file_system(url)
    system.invalidate_cache()
    return system.exists(name)


def object_names(folder: str | os.PathLike) -> list[str]:
  """Returns the names of all objects below a URL, relative to it, in order.

  Raises:
    OSError: as `os_errors`. If there are none, the list is empty.
  """
  with os_errors(folder):
    system, base = file_system(folder)
    system.invalidate_cache()
    found = system.find(base)
  start = f'{base.rstrip("/")}/'
  return sorted(x.removeprefix(start) for x in found if x.startswith(start))


def move_objects(folder: str | os.PathLike, target: str | os.PathLike) -> None:
  """Copies all objects below a URL to another one, then removes them.

  Raises:
    OSError: as `os_errors`.
  """
  names = object_names(folder)
  with os_errors(folder):
    system, base = file_system(folder)
    to = file_system(target)[1]
    for name in names:
      system.cp_file(f'{base}/{name}', f'{to}/{name}')
    for name in names:
      system.rm_file(f'{base}/{name}')
