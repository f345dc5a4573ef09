"""Files on other machines: URLs such as gs://bucket/folder, through fsspec.

A folder there is whole once the file that its writer puts last is there.
"""

import contextlib
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import fsspec
from tqdm import tqdm

from input_pipeline import outputs
from input_pipeline.errors import UserError


def is_remote(path: str | os.PathLike) -> bool:
  """Whether it is a URL rather than a local path."""
  return '://' in os.fspath(path)


def read_bytes(path: str) -> bytes | None:
  """The content of a local file or a URL; None where there is none.

  Raises:
    UserError: it is there but cannot be read.
  """
  with _reported('read', path):
    try:
      with fsspec.open(path, 'rb') as file:
        return file.read()  # pyrefly: ignore
    except FileNotFoundError:
      return None


def write_bytes(path: str, content: bytes) -> None:
  """Writes a local file or a URL, in one step for whoever reads it.

  Raises:
    UserError: it cannot be written.
  """
  with _reported('write', path):
    if is_remote(path):
      filesystem, place = _open(path)
      filesystem.makedirs(place.rpartition('/')[0], exist_ok=True)
      filesystem.pipe_file(place, content)
      return
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    temporary = f'{path}.{os.getpid()}.tmp'
    try:
      with open(temporary, 'wb') as file:
        file.write(content)
      os.replace(temporary, path)
    finally:
      with contextlib.suppress(OSError):
        os.unlink(temporary)


def upload(file: pathlib.Path, folder: str) -> None:
  """Copies a local file into the folder at a URL.

  Raises:
    UserError: it cannot be written there.
  """
  with _reported('write', f'{folder}/{file.name}'):
    filesystem, place = _open(folder)
    filesystem.makedirs(place, exist_ok=True)
    filesystem.put_file(os.fspath(file), f'{place}/{file.name}')


def sizes(folder: str) -> dict[str, int]:
  """The files in the folder at a URL and their sizes in bytes.

  Empty where there is no such folder; a folder in it counts as size -1.

  Raises:
    UserError: it cannot be listed.
  """
  with _reported('list', folder):
    filesystem, place = _open(folder)
    filesystem.invalidate_cache()
    try:
      entries = filesystem.ls(place, detail=True)
    except FileNotFoundError:
      return {}
    return {
      entry['name'].rstrip('/').rsplit('/', 1)[-1]: entry['size']
      if entry['type'] == 'file'
      else -1
      for entry in entries
      # Some stores list an empty object for the folder itself.
      if entry['name'].strip('/') != place.strip('/')
    }


def remove(folder: str, names: Iterable[str]) -> None:
  """Removes files from the folder at a URL.

  Raises:
    UserError: one cannot be removed.
  """
  with _reported('remove', folder):
    filesystem, place = _open(folder)
    for name in names:
      filesystem.rm_file(f'{place}/{name}')


@contextlib.contextmanager
def target(
  folder: str, last: str, ours: Callable[[str], bool]
) -> Iterator[outputs.Target]:
  """A target at a URL, whose shards are copied there one by one.

  What an interrupted writer left there is removed first.

  Args:
    folder: the URL.
    last: name of the staged file that is copied last and marks it as whole.
    ours: whether a file's name is one that such an output has.

  Raises:
    UserError: other files lie there, or it cannot be written.
  """
  present = sizes(folder)
  if foreign := [n for n, size in present.items() if size < 0 or not ours(n)]:
    raise UserError(
      f'in the way: {folder} holds {foreign[0]}; remove it or choose another '
      '--out'
    )
  remove(folder, present)
  with tempfile.TemporaryDirectory() as staging:

    def finish() -> None:
      files = list(pathlib.Path(staging).iterdir())
      for file in sorted(files, key=lambda file: (file.name == last, file)):
        upload(file, folder)

    try:
      yield outputs.Target(folder, pathlib.Path(staging), finish)
    except BaseException:
      with contextlib.suppress(UserError):
        remove(folder, sizes(folder))
      raise


def fetch(folder: str, last: str) -> pathlib.Path:
  """Copies the folder at a URL into the local cache, unless it is there.

  The cache is `$OWDFA_CACHE` or `~/.cache/owdfa-jax`; a folder whose `last`
  file changed is another one.

  Args:
    folder: the URL.
    last: name of the file that marks it as whole.

  Returns:
    The local folder.

  Raises:
    UserError: it is missing, not whole or unreadable, or a copy came out short.
  """
  folder = folder.rstrip('/')
  mark = read_bytes(f'{folder}/{last}')
  if mark is None:
    raise UserError(
      f'no whole dataset: {folder} has no {last}; make it with '
      '`python -m input_pipeline.pack`'
    )
  default = os.path.join('~', '.cache', 'owdfa-jax')
  cache = os.path.expanduser(os.environ.get('OWDFA_CACHE', default))
  key = hashlib.sha256(folder.encode() + b'\0' + mark).hexdigest()[:16]
  local = pathlib.Path(cache, f'{folder.rsplit("/", 1)[-1]}-{key}')
  if local.is_dir():
    return local
  expected = {k: size for k, size in sizes(folder).items() if size >= 0}
  outputs.check_space(local, sum(expected.values()))
  with outputs.temporary(local) as directory, _reported('read', folder):
    filesystem, place = _open(folder)
    for name, size in tqdm(expected.items(), 'fetch', unit='file'):
      copy = directory / name
      filesystem.get_file(f'{place}/{name}', os.fspath(copy))
      if copy.stat().st_size != size:
        raise UserError(
          f'cut short: {folder}/{name} has {size} bytes, its copy '
          f'{copy.stat().st_size}; try again'
        )
    # Another process of this machine may have been faster.
    with contextlib.suppress(OSError):
      os.rename(directory, local)
  return local


def _open(url: str) -> tuple[Any, str]:
  return fsspec.core.url_to_fs(url)


@contextlib.contextmanager
def _reported(what: str, path: str) -> Iterator[None]:
  """Turns whatever a file system raises into one line.

  Each raises kinds of its own, so all are caught.
  """
  try:
    yield
  except UserError:
    raise
  except ImportError as error:
    raise UserError(f'cannot {what} {path}: {error}') from error
  except Exception as error:
    why = getattr(error, 'strerror', None) or repr(error)
    raise UserError(f'cannot {what} {path}: {why}') from error
