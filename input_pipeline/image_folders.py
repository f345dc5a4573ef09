"""Lists the image files in folders."""

import collections
import dataclasses
import errno
import os
import pathlib
import stat
from collections.abc import Iterable, Iterator

from input_pipeline.errors import UserError
from input_pipeline.escape import terminal
from input_pipeline.files import absolute, open_regular
from input_pipeline.image_kinds import (
  START_BYTES,
  SUFFIXES,
  describe_content,
  image_kind,
)
from input_pipeline.name_rule import is_one_line
from input_pipeline.pillow_images import HEIC_REMEDY, can_decode_heic

# Files and folders, in lower case, that systems and network drives add. Hidden
# ones, such as .DS_Store and ._photo.jpg, are ignored by their dot.
_SYSTEM_NAMES = {
  '@eadir',
  '#recycle',
  '@recycle',
  '#snapshot',
  '@tmp',
  '__macosx',
  '$recycle.bin',
  'system volume information',
  'lost+found',
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  'icon\r',
}
_MOST_SUFFIXES = 6  # that a line names
_MOST_UNREADABLE = 5  # that lines of their own name


@dataclasses.dataclass
class FolderScan:
  """The files below a folder, without hidden ones and those that systems add.

  Attributes:
    images: absolute paths of the image files, sorted.
    others: the reason why a file is not an image, by path.
    unreadable: the reason why a link, a folder or an image cannot be read, by
      path.

  The paths of `others` and `unreadable` have escapes where they do not print.
  """

  images: list[str] = dataclasses.field(default_factory=list)
  others: dict[str, str] = dataclasses.field(default_factory=dict)
  unreadable: dict[str, str] = dataclasses.field(default_factory=dict)


def is_ignored(name: str) -> bool:
  """Returns whether a file or folder is hidden, or one that systems add."""
  return name.startswith('.') or name.casefold() in _SYSTEM_NAMES


def scan_images(folder: str | os.PathLike, *, deep: bool = True) -> FolderScan:
  """Finds the image files anywhere below a folder.

  A file with one of the usual suffixes is taken for an image. Any other file is
  one if its first bytes are those of an image that can be decoded. Links to
  folders are followed, but each folder is read once.

  Args:
    folder: the folder.
    deep: whether to look into the folders in it as well.
  """
  scan = FolderScan()
  for path, entry in _files_below(absolute(folder), scan.unreadable, deep):
    _add(scan, path, _problem(path, entry, _has_suffix(path)))
  scan.images.sort()
  return scan


def scan_file(path: str | os.PathLike) -> FolderScan:
  """Returns what `scan_images` says of one file.

  Args:
    path: of the file, or of what is in its place.
  """
  scan = FolderScan()
  file = pathlib.Path(absolute(path))
  _add(scan, str(file), _problem(str(file), file, _has_suffix(str(file))))
  return scan


def _add(scan: FolderScan, path: str, problem: str) -> None:
  """Adds a file to those that were found.

  Args:
    scan: gets the file.
    path: its path, absolute.
    problem: why it cannot be read; '' if nothing speaks against it.
  """
  why = '' if _has_suffix(path) or problem else why_no_image(path)
  # A name that cannot go into a CSV matters for images alone.
  if not why and not is_one_line(path):
    problem = _bad_name(path)
  elif why == HEIC_REMEDY:  # an image, but not one to read here
    problem, why = f'unreadable file: {path}: {why}', ''
  if problem:
    scan.unreadable[terminal(path)] = problem
  elif why:
    scan.others[terminal(path)] = why
  else:
    scan.images.append(path)


def _has_suffix(path: str) -> bool:
  return path.lower().endswith(SUFFIXES)


def list_images(folder: str | os.PathLike) -> list[str]:
  """Returns the image files anywhere below a folder, see `scan_images`.

  Returns:
    Absolute paths, sorted.

  Raises:
    UserError: a folder or a file cannot be read, or a name cannot go into a
      CSV.
  """
  scan = scan_images(folder)
  for problem in scan.unreadable.values():
    raise UserError(problem)
  return scan.images


def is_image(path: str) -> bool:
  """Returns whether a file is an image, by its suffix or its first bytes."""
  return path.lower().endswith(SUFFIXES) or not why_no_image(path)


def why_no_image(path: str) -> str:
  """Returns why a file is not an image that can be decoded; '' if it is one.

  Only its first bytes are read.
  """
  try:
    with open_regular(path) as file:
      start = file.read(START_BYTES)
  except OSError as error:
    return f'unreadable file: {path}: {error.strerror}'
  kind = image_kind(start)
  if not kind:
    return describe_content(start)
  return HEIC_REMEDY if kind == 'heic' and not can_decode_heic() else ''


def skipped_lines(
  scans: Iterable[FolderScan], shown: int = _MOST_UNREADABLE
) -> list[str]:
  """Returns lines that count other files, by suffix, and unreadable ones.

  Args:
    scans: the files that were found.
    shown: how many of the unreadable files have a line of their own.
  """
  others: dict[str, str] = {}
  unreadable: dict[str, str] = {}
  for scan in scans:
    others |= scan.others
    unreadable |= scan.unreadable
  lines = []
  if others:
    suffixes = collections.Counter(
      os.path.splitext(path)[1].lower() or 'without a suffix' for path in others
    )
    most = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))
    counts = [f'{count} {suffix}' for suffix, count in most[:_MOST_SUFFIXES]]
    if rest := sum(count for _, count in most[_MOST_SUFFIXES:]):
      counts.append(f'{rest} of other kinds')
    lines.append(f'skipped, not images: {", ".join(counts)}')
  if unreadable:
    lines.append(f'skipped, cannot be read: {len(unreadable)}')
    reasons = [*unreadable.values()]
    lines += [
      f'  {why.removeprefix("unreadable file: ")}' for why in reasons[:shown]
    ]
    if len(reasons) > shown:
      lines.append(f'  and {len(reasons) - shown} more')
  return lines


def list_class_names(root: pathlib.Path) -> list[str]:
  """Returns the names of the folders directly below `root`, sorted.

  Raises:
    UserError: `root` is missing, unreadable or holds no folder, or a name
      cannot go into a CSV.
  """
  if not root.is_dir():
    raise UserError(f'no such folder: {root}; give one with class folders')
  try:
    names = sorted(
      entry.name
      for entry in os.scandir(root)
      if entry.is_dir() and not is_ignored(entry.name)
    )
  except OSError as error:
    raise UserError(
      f'cannot read {root}: {error.strerror}; check its permissions'
    ) from error
  if not names:
    raise UserError(
      f'no class folders in {root}; put the images into {root}/<class>/'
    )
  for name in names:
    check_name(name)
  return names


def check_name(name: str) -> None:
  """Raises `UserError` for a name that cannot go into a meta CSV."""
  if not is_one_line(name):
    raise UserError(_bad_name(name))


def _bad_name(name: str) -> str:
  return (
    f'bad file name: {name!r} is not UTF-8 or has control characters; rename it'
  )


def _files_below(
  folder: str, unreadable: dict[str, str], deep: bool
) -> Iterator[tuple[str, os.DirEntry]]:
  """Yields the path and entry of everything below a folder but folders."""
  seen, waiting = set(), [folder]
  while waiting:
    directory = waiting.pop()
    try:
      status = os.stat(directory)
      if (status.st_dev, status.st_ino) in seen:
        continue  # a link back to a folder that was read already
      seen.add((status.st_dev, status.st_ino))
      with os.scandir(directory) as found:
        entries = [e for e in found if not is_ignored(e.name)]
    except OSError as error:
      unreadable[terminal(directory)] = (
        f'cannot read {directory}: {error.strerror}; check its permissions'
      )
      continue
    folders = []
    for entry in entries:
      if not _is_folder(entry):
        yield entry.path, entry
      elif deep:
        folders.append(entry.path)
    # Always in the same order: of two ways to a folder, the first is taken.
    waiting += sorted(folders, reverse=True)


def _is_folder(entry: os.DirEntry) -> bool:
  try:
    return entry.is_dir()
  except OSError:  # a link in a loop
    return False


def _problem(path: str, entry: os.DirEntry | pathlib.Path, usual: bool) -> str:
  """Returns why a file cannot be read; '' if nothing speaks against it.

  Args:
    path: the file.
    entry: its entry.
    usual: whether it is an image by its suffix. Only then is an empty file a
      problem.
  """
  try:
    if entry.is_file():
      if not os.access(path, os.R_OK):
        why = f'{os.strerror(errno.EACCES)}; check its permissions'
      elif entry.stat().st_size or not usual:
        return ''
      else:
        why = 'the file is empty; replace or remove it'
    elif stat.S_ISLNK(os.lstat(path).st_mode) and not os.path.exists(path):
      target = os.readlink(path)
      why = f'a link to {target!r}, which does not exist; repair or remove it'
    else:
      why = 'a named pipe, a socket or a device; remove it'
  except OSError as error:
    why = f'{error.strerror}; repair or remove it'
  return f'unreadable file: {path}: {why}'
