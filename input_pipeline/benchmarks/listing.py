"""What datasets offer: their images by name, listed sorted and checked."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

from input_pipeline.benchmarks.tables import ForgeryClass
from input_pipeline.errors import UserError
from input_pipeline.folder import SUFFIXES, check_name


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
  """One image that a benchmark could take.

  Attributes:
    path: the image file, or where the video frame will be written.
    flat: a file name that is unique within its class.
    img_name, frame_idx, compression: as in the released CSVs.
    video: which recording it is a frame of; '' for a single picture.
    footage: all recordings of its dataset that went into it. Images that share
      one show the same people or scenes.
    from_video: the video file to extract it from; '' for an image file.
  """

  path: str
  flat: str
  img_name: str
  image_source: str
  frame_idx: int = 0
  compression: str = ''
  video: str = ''
  footage: tuple[str, ...] = ()
  from_video: str = ''


@dataclasses.dataclass
class Listing:
  """The images of one class as its dataset has them.

  Attributes:
    looked_for: the layout that is assumed, below the datasets' folder.
    found: where it was found, or '' if it was not.
    names: the images, in an order that does not depend on the file system.
    image: makes an `Image` of a name.
    first: names that are all taken before any other (DFFD's training folders).
    guess: what of the layout no public source confirms.
    problems: what could not be read.
  """

  entry: ForgeryClass
  looked_for: str
  found: str = ''
  names: Sequence[str] = ()
  image: Callable[[str], Image] | None = None
  first: Sequence[str] = ()
  guess: str = ''
  problems: list[str] = dataclasses.field(default_factory=list)

  def __len__(self) -> int:
    return len(self.first) + len(self.names)


def subfolders(folder: pathlib.Path) -> list[str]:
  """Names of the folders in `folder`, sorted; none if there is no `folder`."""
  return _entries(folder, lambda entry: entry.is_dir())


def image_files(folder: pathlib.Path) -> list[str]:
  """Names of the image files in `folder`, sorted; none if it is missing."""
  return files(folder, SUFFIXES)


def files(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[str]:
  """Names of files with one of `suffixes` in any case, sorted."""
  return _entries(
    folder,
    lambda entry: entry.name.lower().endswith(suffixes) and not entry.is_dir(),
  )


def _entries(
  folder: pathlib.Path, wanted: Callable[[os.DirEntry], bool]
) -> list[str]:
  try:
    with os.scandir(folder) as entries:
      names = [
        entry.name
        for entry in entries
        if not entry.name.startswith('.') and wanted(entry)
      ]
  except (FileNotFoundError, NotADirectoryError):
    return []
  except OSError as error:  # a loop of links among them
    raise UserError(
      f'cannot read {error.filename or folder}: {error.strerror}'
    ) from error
  for name in names:
    check_name(os.path.join(folder, name))
  return sorted(names)


def read_lines(file: pathlib.Path) -> list[str]:
  """The lines of a list file, without empty ones.

  Raises:
    UserError: it cannot be read or is not UTF-8.
  """
  try:
    lines = file.read_text(encoding='utf-8-sig').splitlines()
  except OSError as error:
    raise UserError(f'cannot read {file}: {error.strerror}') from error
  except UnicodeDecodeError as error:
    raise UserError(f'bad list file: {file}: not UTF-8') from error
  return [line for line in lines if line.strip()]


def locate(
  datasets: pathlib.Path, places: Sequence[str], inside: Sequence[str]
) -> pathlib.Path | None:
  """The first of `places` below `datasets` with one of `inside` in it."""
  for place in places:
    if any((datasets / place / name).exists() for name in inside):
      return datasets / place
  return None


def missing_source(
  classes: Sequence[ForgeryClass], looked_for: str
) -> list[Listing]:
  """Empty listings for the classes of a dataset that is not there."""
  return [Listing(entry, looked_for) for entry in classes]
