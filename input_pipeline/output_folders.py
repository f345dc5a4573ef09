"""Output folders that appear complete or not at all."""

import contextlib
import dataclasses
import errno
import glob
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Callable, Iterator

from input_pipeline import leftovers
from input_pipeline.disk_sync import sync_folder, sync_tree
from input_pipeline.errors import UserError


@dataclasses.dataclass(frozen=True)
class OutputFolder:
  """A folder that is being made; it is removed unless `finish` is called.

  Attributes:
    shards: where the shards are written, a local path or a URL.
    staging: the local folder where all other files are written.
    finish: makes the folder appear under its final name.
  """

  shards: str
  staging: pathlib.Path
  finish: Callable[[], None]


def check_space(
  out: pathlib.Path, needed: int, remedy: str = 'choose another --out'
) -> None:
  """Checks that the disk of `out` has `needed` bytes free.

  Args:
    out: a path that need not exist yet.
    needed: the bytes needed.
    remedy: tells the user what to do, besides making room.

  Raises:
    UserError: there is less space.
  """
  # The folder itself does not exist yet; its nearest parent is on its disk.
  folder = out.absolute().parent
  while not folder.exists():
    folder = folder.parent
  free = shutil.disk_usage(folder).free
  if needed > free:
    raise UserError(
      f'too little disk space: {out}: up to {needed / 1e6:,.1f} MB needed, '
      f'{free / 1e6:,.1f} MB free in {folder}; make room or {remedy}'
    )


@contextlib.contextmanager
def local_output(out: pathlib.Path) -> Iterator[OutputFolder]:
  """Makes a folder beside `out` and renames it to `out` at the end."""
  with temporary_folder(out) as folder:
    yield OutputFolder(
      os.fspath(folder), folder, lambda: publish_folder(folder, out)
    )


@contextlib.contextmanager
def temporary_folder(
  out: pathlib.Path, remedy: str = 'choose another --out'
) -> Iterator[pathlib.Path]:
  """Makes a hidden folder beside `out` and removes it afterwards.

  The caller may rename the folder before that. Folders that killed processes
  left beside `out` are removed first.

  Args:
    out: the folder's final path, which need not exist.
    remedy: tells the user what to do about an error.

  Yields:
    The hidden folder.

  Raises:
    UserError: `out` is a link, which cannot be replaced by a folder; or the
      folder, or something in it, cannot be written.
  """
  if out.is_symlink():
    raise UserError(
      f'cannot write {out}: it is a link; give the folder itself, or {remedy}'
    )
  parent = os.fspath(out.parent)
  try:
    out.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(out)
    with leftovers.locked_folder(
      lambda: f'{parent}/{_prefix(out)}{os.getpid()}-{uuid.uuid4().hex[:12]}'
    ) as folder:
      yield pathlib.Path(folder)
  except OSError as error:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    room = 'make room or ' if full else ''
    raise UserError(
      f'cannot write {error.filename or out}: {error.strerror}; {room}{remedy}'
    ) from error


def check_makeable(out: pathlib.Path) -> None:
  """Raises `UserError` if no folder can be made at `out`, before long work.

  Folders above it are made.

  Args:
    out: a folder that is not there.
  """
  with temporary_folder(out):
    pass


def publish_folder(folder: pathlib.Path, out: pathlib.Path) -> None:
  """Renames a complete folder to its final name, once it is on the disk.

  Raises:
    UserError: there is something at `out` other than an empty folder, or the
      disk is full.
  """
  try:
    # A crash of the machine could leave empty files under the final name.
    sync_tree(folder)
    os.rename(folder, out)  # replaces an empty folder, nothing else
    sync_folder(out.parent)
  except OSError as error:
    raise UserError(
      f'cannot write {out}: {error.strerror}; remove it or choose another --out'
    ) from error


def _prefix(out: pathlib.Path) -> str:
  # A file name has at most 255 bytes, and a character takes up to 4.
  return f'.{out.name[:40]}.incomplete-'


def clear_leftovers(out: pathlib.Path) -> None:
  """Removes what killed processes left beside `out`.

  Call it for a complete `out` too: a process that is killed just after `out`
  has appeared leaves its lock.

  Args:
    out: the folder that those processes were making.
  """
  prefix = _prefix(out)
  ours = re.compile(rf'{re.escape(prefix)}\d+-[0-9a-f]{{12}}')
  leftovers.remove_leftovers(
    os.fspath(out.parent), lambda name: ours.fullmatch(name) is not None
  )
  # Folders of earlier versions have the process's id in their name, no lock.
  for leftover in out.parent.glob(f'{glob.escape(prefix)}*'):
    pid = leftover.name.removeprefix(prefix)
    if pid.isdigit() and not _is_another_process(int(pid)):
      shutil.rmtree(leftover, ignore_errors=True)


def _is_another_process(pid: int) -> bool:
  """Returns whether another process that is running has this id."""
  if pid == os.getpid():
    return False
  try:
    os.kill(pid, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass  # it runs under another user
  return True
