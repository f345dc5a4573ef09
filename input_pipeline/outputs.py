"""Output directories that are either whole or not there."""

import contextlib
import dataclasses
import glob
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

from input_pipeline.errors import UserError


@dataclasses.dataclass(frozen=True)
class Target:
  """An output being made: gone again unless `finish` is called."""

  folder: str  # where the shards go, a local path or a URL
  staging: pathlib.Path  # local directory of all other files
  finish: Callable[[], None]


def check_space(out: pathlib.Path, needed: int) -> None:
  """Raises `UserError` unless the disk of `out` has `needed` bytes free."""
  folder = out.absolute().parent
  while not folder.exists():
    folder = folder.parent
  free = shutil.disk_usage(folder).free
  if needed > free:
    raise UserError(
      f'too little disk space: {folder}: up to {needed / 1e6:,.1f} MB needed, '
      f'{free / 1e6:,.1f} MB free; make room or choose another --out'
    )


@contextlib.contextmanager
def local_target(out: pathlib.Path) -> Iterator[Target]:
  """A target that is made beside the directory `out` and renamed to it."""
  with temporary(out) as directory:
    yield Target(
      os.fspath(directory), directory, lambda: publish(directory, out)
    )


@contextlib.contextmanager
def temporary(out: pathlib.Path) -> Iterator[pathlib.Path]:
  """A new directory beside `out`; gone afterwards unless it was published.

  What a killed process left there is removed first.

  Raises:
    UserError: it, or something in it, cannot be written.
  """
  prefix = f'.{out.name}.incomplete-'
  directory = out.parent / f'{prefix}{os.getpid()}'
  try:
    out.parent.mkdir(parents=True, exist_ok=True)
    for leftover in out.parent.glob(f'{glob.escape(prefix)}*'):
      pid = leftover.name.removeprefix(prefix)
      if pid.isdigit() and not _runs_elsewhere(int(pid)):
        shutil.rmtree(leftover)
    directory.mkdir()
    yield directory
  except OSError as error:
    raise UserError(
      f'cannot write {error.filename or out}: {error.strerror}; choose another '
      '--out'
    ) from error
  finally:
    shutil.rmtree(directory, ignore_errors=True)


def _runs_elsewhere(pid: int) -> bool:
  """Whether another process has this id: its pack may still be going on."""
  if pid == os.getpid():
    return False
  try:
    os.kill(pid, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass
  return True


def publish(directory: pathlib.Path, out: pathlib.Path) -> None:
  """Renames a whole directory to its final name, replacing nothing."""
  try:
    os.rename(directory, out)  # replaces an empty directory, nothing else
  except OSError as error:
    raise UserError(
      f'in the way: {out}: {error.strerror}; remove it or choose another --out'
    ) from error
