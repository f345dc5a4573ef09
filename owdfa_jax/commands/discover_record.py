"""What `owdfa discover` was asked for and decided, kept in its folder.

The same command goes on from this record. Other images or options are another
run; they are refused once the images are packed.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterable
from typing import Any

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.escape import terminal
from input_pipeline.files import read_text, write_whole
from input_pipeline.output_folders import clear_leftovers

_FILE = 'discover.json'
_ANOTHER = 'give the same again, or another --out'


@dataclasses.dataclass(frozen=True)
class DiscoverRecord:
  """The options, the images and the decisions of a discovery.

  Attributes:
    known: the folder of known sources, absolute.
    images: the places of the heap, absolute.
    size: the side of the network's input in pixels.
    crop: the detector of faces, or 'none'.
    rounds: whether the network is trained in rounds.
    tiles_given: the option --tiles; None if the images decide.
    known_files: what `describe_files` says of the known images.
    heap_files: what it says of the heap.
    tiles: the number of tiles that was decided on; 0 for whole images.
    reason: why.
    settings: settings of the training, each as 'field=value'.
  """

  known: str
  images: tuple[str, ...]
  size: int
  crop: str
  rounds: bool
  tiles_given: int | None
  known_files: str
  heap_files: str
  tiles: int = 0
  reason: str = ''
  settings: tuple[str, ...] = ()


# The fields that a later call has to repeat, with their options.
_OPTIONS = {
  'known': '--known',
  'images': '--images',
  'size': '--size',
  'crop': '--crop',
  'rounds': '--rounds',
  'tiles_given': '--tiles',
}
_FILES = {'known_files': '--known', 'heap_files': '--images'}


def describe_files(paths: Iterable[str]) -> str:
  """Returns the number of files, and a digest of their paths and sizes.

  Args:
    paths: the files; one that has gone counts as empty.
  """
  digest, count = hashlib.sha256(), 0
  for path in sorted(paths):
    try:
      size = os.stat(path).st_size
    except OSError:
      size = 0
    digest.update(f'{path}\0{size}\0'.encode(errors='surrogateescape'))
    count += 1
  return f'{count} files, {digest.hexdigest()[:16]}'


def read_discover_record(folder: pathlib.Path) -> DiscoverRecord | None:
  """Returns the record of a folder; None if it is missing or empty.

  Args:
    folder: the value of --out.

  Raises:
    UserError: the folder holds something else, or the record is damaged.
  """
  path = folder / _FILE
  try:
    content: Any = strict_json.loads(read_text(path))
    for field in ('images', 'settings'):
      content[field] = tuple(content[field])
    return DiscoverRecord(**content)
  except FileNotFoundError:
    # A killed process may have left a hidden part of the record.
    if folder.exists() and (not folder.is_dir() or _has_files(folder)):
      raise UserError(
        f'the folder exists: --out={folder} was not begun by `owdfa discover`; '
        'give a new one'
      ) from None
    return None
  except OSError as error:
    raise UserError(
      f'cannot read {path}: {error.strerror}; give a new --out'
    ) from error
  except (ValueError, TypeError, KeyError) as error:
    raise UserError(
      f'damaged file: {path} ({error}); give a new --out'
    ) from error


def write_discover_record(folder: pathlib.Path, record: DiscoverRecord) -> None:
  """Writes the record of a folder, which is made if need be.

  Raises:
    UserError: it cannot be written.
  """
  with write_whole(
    folder / _FILE,
    text=True,
    what='the record of the discovery',
    remedy='give another --out',
  ) as file:
    file.write(json.dumps(dataclasses.asdict(record), indent=2) + '\n')


def begin_anew_if_unpacked(
  before: DiscoverRecord,
  now: DiscoverRecord,
  folder: pathlib.Path,
  meta_csv: pathlib.Path,
  packed: pathlib.Path,
) -> bool:
  """Removes what was prepared for other options or images, and says so.

  A mistake in the options may show only when the images are packed. Before they
  are, there is nothing to lose.

  Args:
    before: the record of the folder.
    now: what was asked for this time.
    folder: the value of --out.
    meta_csv: the list of images in it, and nothing else beside it but `packed`.
    packed: the packed directory.

  Returns:
    Whether the discovery begins anew: options or images differ.

  Raises:
    UserError: they differ, and images are packed or being packed.
  """
  difference = _find_difference(folder, before, now)
  if difference is None:
    return False
  what, remedy = difference
  if packed.parent.exists():
    clear_leftovers(packed)
    if {path.name for path in packed.parent.iterdir()} - {meta_csv.name}:
      raise UserError(f'{what}; {remedy}')
    shutil.rmtree(packed.parent)
  print(terminal(f'{what}; nothing was packed, so it begins anew'))
  return True


def _find_difference(
  folder: pathlib.Path, before: DiscoverRecord, now: DiscoverRecord
) -> tuple[str, str] | None:
  """Finds out whether a discovery was begun with other options or images.

  Args:
    folder: the value of --out.
    before: its record.
    now: what was asked for this time; its decisions do not count.

  Returns:
    What differs, and what to do about it; None if nothing does.
  """
  for field, option in _OPTIONS.items():
    old, new = getattr(before, field), getattr(now, field)
    if old != new:
      return (
        f'another option: {folder} was begun with {option}={_shown(old)}, now '
        f'it is {_shown(new)}',
        _ANOTHER,
      )
  for field, option in _FILES.items():
    old, new = getattr(before, field), getattr(now, field)
    if old != new:
      counts = [text.partition(',')[0] for text in (old, new)]
      what = (
        'a file was renamed or has another size'
        if counts[0] == counts[1]
        else f'there were {counts[0]}, now {counts[1]}'
      )
      return (
        f'changed images: {option}={_shown(getattr(now, _name_of(option)))} '
        f'is not what {folder} was begun with ({what})',
        'put the files back, or give another --out',
      )
  return None


def _has_files(folder: pathlib.Path) -> bool:
  return any(not path.name.startswith('.') for path in folder.iterdir())


def _name_of(option: str) -> str:
  return option.removeprefix('--')


def _shown(value: object) -> str:
  if isinstance(value, tuple):
    return ' '.join(map(str, value[:3]))
  return 'not given' if value is None else str(value)
