"""Lists folders of image files."""

import os
import pathlib

from input_pipeline.errors import UserError
from input_pipeline.files import absolute
from input_pipeline.name_rule import is_one_line

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff')


def list_images(folder: str | os.PathLike) -> list[str]:
  """Returns the image files anywhere below a folder.

  Links to folders are followed, but each folder is read once. Hidden files and
  folders are skipped.

  Args:
    folder: the folder.

  Returns:
    Absolute paths, sorted.

  Raises:
    UserError: a folder cannot be read, or a name cannot go into a CSV.
  """
  found, seen = [], set()

  def fail(error: OSError) -> None:
    raise UserError(
      f'cannot read {error.filename}: {error.strerror}; check its permissions'
    )

  for directory, below, files in os.walk(
    absolute(folder), onerror=fail, followlinks=True
  ):
    status = os.stat(directory)
    if (status.st_dev, status.st_ino) in seen:
      below.clear()  # a link back to a folder that was read already
      continue
    seen.add((status.st_dev, status.st_ino))
    # Assigned in place: os.walk visits the folders that stay in the list.
    below[:] = sorted(name for name in below if not name.startswith('.'))
    for name in files:
      if name.lower().endswith(SUFFIXES) and not name.startswith('.'):
        path = os.path.join(directory, name)
        check_name(path)
        found.append(path)
  return sorted(found)


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
      if entry.is_dir() and not entry.name.startswith('.')
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
    raise UserError(
      f'bad file name: {name!r} is not UTF-8 or has control characters; '
      'rename it'
    )
