"""Files at URLs such as gs://bucket/folder, through fsspec.

Renaming a folder is not atomic there. A writer puts one agreed file last
instead, and a folder counts as complete once that file is there.
"""

import contextlib
import functools
import hashlib
import os
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from etils import epath

from input_pipeline import files
from input_pipeline.errors import BY_PACK, UsageError, UserError
from input_pipeline.object_store import (
  file_system,
  is_remote,
  object_exists,
  open_object,
)
from input_pipeline.output_folders import (
  OutputFolder,
  check_space,
  temporary_folder,
)
from input_pipeline.progress_bars import with_progress


def run_folder(path: str | os.PathLike, setting: str = '--workdir') -> str:
  """Returns the folder of a run: a local path, absolute, or a gs:// URL.

  Args:
    path: a folder, which need not exist.
    setting: names the path in the error.

  Raises:
    UserError: it is empty or another URL, has no bucket or no folder, the
      store refuses, or the package for such URLs is not installed.
  """
  text = os.fspath(path)
  if not text.startswith('gs://'):
    return files.absolute(path, setting)
  text = text.rstrip('/')
  if not re.fullmatch('gs://[^/]+(/[^/]+)+', text):
    raise UsageError(
      f'no folder of a bucket: {setting}={text}; write gs://BUCKET/FOLDER'
    )
  _check_access(text)
  return text


def run_type(setting: str) -> Callable[[str], Any]:
  """Returns what argparse needs for a run's folder: a function of its text.

  It returns a `pathlib.Path`, or for a gs:// URL an `epath.Path`.

  Args:
    setting: names the folder in the error, such as 'RUN'.
  """

  def folder(text: str) -> Any:
    if text.startswith('gs://'):
      return epath.Path(run_folder(text, setting))
    return pathlib.Path(files.local_path(text, setting))

  return folder


@functools.cache
def _check_access(url: str) -> None:
  """Raises `UserError` unless the store answers; asks it once a process."""
  with _one_line('use', url):
    object_exists(url)


def place_beside(path: str | os.PathLike) -> str:
  """Returns a local path for what becomes the file at `path` later.

  It is `path` itself, or for a URL one in the local cache, always the same.

  Raises:
    UserError: there is no cache for the file of a URL.
  """
  text = os.fspath(path)
  if not is_remote(text):
    return text
  if not (cache := files.cache_folder()):
    raise UserError(
      f'no folder for the beginning of {text}: the user has no home folder; '
      'set $OWDFA_CACHE to a folder'
    )
  key = hashlib.sha256(text.encode()).hexdigest()[:16]
  return os.path.join(cache, 'unfinished', f'{key}-{os.path.basename(text)}')


def read_bytes(path: str) -> bytes | None:
  """Returns the content of a local file or a URL, or None if there is none.

  Raises:
    UserError: the file is there but cannot be read, is not a regular file, or
      has more bytes than `files.LIST_LIMIT`.
  """
  limit = files.limit_bytes(files.LIST_LIMIT)
  with _one_line('read', path):
    try:
      if not is_remote(path):
        return files.read_regular(path, limit)
      with open_object(path) as file:
        content = file.read(limit + 1)
    except FileNotFoundError:
      return None
    if len(content) > limit:
      raise files.too_large(path, len(content), limit)
    return content


def write_bytes(path: str, content: bytes) -> None:
  """Writes a local file or a URL; readers see the old content or the new.

  Raises:
    UserError: the file cannot be written.
  """
  if not is_remote(path):
    with files.write_whole(path) as file:
      file.write(content)
    return
  with _one_line('write', path):
    filesystem, name = file_system(path)
    filesystem.makedirs(name.rpartition('/')[0], exist_ok=True)
    filesystem.pipe_file(name, content)
    _check_size(filesystem, name, len(content))


def upload(file: pathlib.Path, folder: str) -> None:
  """Copies a local file into the folder at a URL.

  Raises:
    UserError: the copy cannot be written.
  """
  with _one_line('write', f'{folder}/{file.name}'):
    filesystem, name = file_system(folder)
    filesystem.makedirs(name, exist_ok=True)
    copy = f'{name}/{file.name}'
    filesystem.put_file(os.fspath(file), copy)
    _check_size(filesystem, copy, file.stat().st_size)


def _check_size(filesystem: Any, name: str, expected: int) -> None:
  """Raises `UserError` if a file was not written whole."""
  filesystem.invalidate_cache()
  size = filesystem.size(name)
  if size != expected:
    raise UserError(
      f'cut short: {name} has {size} bytes instead of {expected}; try again'
    )


def sizes(folder: str) -> dict[str, int]:
  """Returns the names in the folder at a URL and their sizes in bytes.

  A folder within it has size -1. If there is no such folder the result is
  empty.

  Raises:
    UserError: the folder cannot be listed.
  """
  with _one_line('list', folder):
    filesystem, name = file_system(folder)
    filesystem.invalidate_cache()  # other processes write there too
    try:
      entries = filesystem.ls(name, detail=True)
    except FileNotFoundError:
      return {}
    return {
      entry['name'].rstrip('/').rsplit('/', 1)[-1]: entry['size']
      if entry['type'] == 'file'
      else -1
      for entry in entries
      # Some stores list an empty object for the folder itself.
      if entry['name'].strip('/') != name.strip('/')
    }


def remove(folder: str, names: Iterable[str]) -> None:
  """Removes files from the folder at a URL.

  Raises:
    UserError: a file cannot be removed.
  """
  with _one_line('remove', folder):
    filesystem, base = file_system(folder)
    for name in names:
      filesystem.rm_file(f'{base}/{name}')


@contextlib.contextmanager
def remote_output(
  folder: str, last: str, is_ours: Callable[[str], bool]
) -> Iterator[OutputFolder]:
  """Makes a folder at a URL; its shards are copied there one by one.

  Files that an interrupted writer left there are removed first. An error
  removes everything written so far.

  Args:
    folder: the URL.
    last: the name of the staged file that is copied last and marks the folder
      as complete.
    is_ours: whether a name is one that such an output may have.

  Raises:
    UserError: the folder holds other files, or cannot be written.
  """
  present = sizes(folder)
  foreign = [n for n, size in present.items() if size < 0 or not is_ours(n)]
  if foreign:
    raise UserError(
      f'cannot write {folder}: it holds {foreign[0]}; remove that or choose '
      'another --out'
    )
  remove(folder, present)
  with tempfile.TemporaryDirectory() as staging:

    def finish() -> None:
      staged = list(pathlib.Path(staging).iterdir())
      for file in sorted(staged, key=lambda file: (file.name == last, file)):
        upload(file, folder)

    try:
      yield OutputFolder(folder, pathlib.Path(staging), finish)
    except BaseException:  # Ctrl-C too
      with contextlib.suppress(UserError):
        remove(folder, sizes(folder))
      raise


def fetch(folder: str, last: str) -> pathlib.Path:
  """Copies the folder at a URL into the local cache, unless it is there.

  The cache is `files.cache_folder()`. If the `last` file of the folder has
  changed since, the folder is copied again beside the old copy.

  Args:
    folder: the URL.
    last: the name of the file that marks the folder as complete.

  Returns:
    The local folder.

  Raises:
    UserError: the folder is missing, incomplete or unreadable, or a copy is
      shorter than the original.
  """
  folder = folder.rstrip('/')
  mark = read_bytes(f'{folder}/{last}')
  if mark is None:
    raise UserError(
      f'no complete dataset: {folder} has no {last}; make it with {BY_PACK}'
    )
  # The description differs between versions, so each has a copy of its own.
  key = hashlib.sha256(folder.encode() + b'\0' + mark).hexdigest()[:16]
  cache = files.cache_folder()
  if not cache:
    raise UserError(
      f'no folder to copy {folder} to: the user has no home folder; set '
      '$OWDFA_CACHE to a folder'
    )
  local = pathlib.Path(cache, f'{folder.rsplit("/", 1)[-1]}-{key}')
  if local.is_dir():
    return local
  expected = {k: size for k, size in sizes(folder).items() if size >= 0}
  remedy = 'set $OWDFA_CACHE to another folder'
  check_space(local, sum(expected.values()), remedy)
  with temporary_folder(local, remedy) as copies, _one_line('read', folder):
    _download(folder, expected, copies)
    # Another process of this machine may have published its copy first.
    with contextlib.suppress(OSError):
      os.rename(copies, local)
  return local


def _download(
  folder: str, expected: dict[str, int], copies: pathlib.Path
) -> None:
  filesystem, base = file_system(folder)
  each = with_progress(expected.items(), 'fetch', len(expected), 'file')
  for name, size in each:
    copy = copies / name
    filesystem.get_file(f'{base}/{name}', os.fspath(copy))
    if copy.stat().st_size != size:
      raise UserError(
        f'cut short: {folder}/{name} has {size} bytes, its copy '
        f'{copy.stat().st_size}; try again'
      )


@contextlib.contextmanager
def _one_line(action: str, path: str) -> Iterator[None]:
  """Turns any error of a file system into a `UserError`.

  Each file system raises its own kinds of exceptions, so all are caught.
  """
  try:
    yield
  except UserError:
    raise
  except ImportError as error:
    raise UserError(f'cannot {action} {path}: {error}') from error
  except Exception as error:
    why = getattr(error, 'strerror', None) or repr(error)
    what = 'the URL' if is_remote(path) else 'the path'
    raise UserError(
      f'cannot {action} {path}: {why}; check {what} and your access to it'
    ) from error
