"""The listing of a class's images in its dataset, and how folders are read."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

from input_pipeline.benchmarks.benchmark_class import BenchmarkClass
from input_pipeline.benchmarks.candidates import Candidate
from input_pipeline.errors import UserError
from input_pipeline.files import LIST_LIMIT, read_text
from input_pipeline.image_folders import check_name, is_ignored, is_image


@dataclasses.dataclass
class Listing:
  """The images of one class that its dataset offers.

  Attributes:
    entry: the class.
    looked_for: the expected layout, below the folder of the datasets.
    found: the folder or list file that was found, or ''.
    names: the images, in an order that does not depend on the file system.
    make_candidate: makes a `Candidate` from a name; None if nothing was found.
    first: names that are all taken before any other: those of DFFD's training
      folders.
    guess: which part of the layout no public document confirms; '' if none.
    problems: one line for each file that could not be read.
  """

  entry: BenchmarkClass
  looked_for: str
  found: str = ''
  names: Sequence[str] = ()
  make_candidate: Callable[[str], Candidate] | None = None
  first: Sequence[str] = ()
  guess: str = ''
  problems: list[str] = dataclasses.field(default_factory=list)

  def __len__(self) -> int:
    return len(self.first) + len(self.names)


def list_subfolders(folder: pathlib.Path) -> list[str]:
  """Returns the sorted names of the folders in `folder`; [] if it is missing.

  Raises:
    UserError: the folder cannot be read, or a name cannot stand in a CSV.
  """
  return _entries(folder, lambda entry: entry.is_dir())


def list_image_files(folder: pathlib.Path) -> list[str]:
  """Returns the sorted names of the image files in `folder`.

  A missing folder and errors are treated as by `list_subfolders`.
  """
  return _entries(
    folder, lambda entry: not entry.is_dir() and is_image(entry.path)
  )


def list_files(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[str]:
  """Returns the sorted names of files with one of `suffixes`, in any case.

  A missing folder and errors are treated as by `list_subfolders`.
  """
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
        if not is_ignored(entry.name) and wanted(entry)
      ]
  except (FileNotFoundError, NotADirectoryError):
    return []
  except OSError as error:  # Among others: links that form a loop.
    raise UserError(
      f'cannot read {error.filename or folder}: {error.strerror}; check its '
      'permissions, or repair the link'
    ) from error
  for name in names:
    check_name(os.path.join(folder, name))
  return sorted(names)


def read_list_file(file: pathlib.Path) -> list[str]:
  """Returns the lines of a list file that are not empty.

  Raises:
    UserError: the file cannot be read or is not UTF-8.
  """
  try:
    lines = read_text(file, LIST_LIMIT).splitlines()
  except OSError as error:
    raise UserError(
      f'cannot read {file}: {error.strerror}; download it again'
    ) from error
  except UnicodeDecodeError as error:
    raise UserError(
      f'bad list file: {file}: not UTF-8; download it again'
    ) from error
  return [line for line in lines if line.strip()]


def locate_dataset(
  datasets: pathlib.Path, folders: Sequence[str], contents: Sequence[str]
) -> pathlib.Path | None:
  """Finds a dataset by what is in its folder.

  Args:
    datasets: the folder that holds all datasets.
    folders: the folders to try, below `datasets`, in this order.
    contents: names, one of which the right folder contains.

  Returns:
    The first folder that fits, or None.
  """
  for folder in folders:
    if any((datasets / folder / name).exists() for name in contents):
      return datasets / folder
  return None


def empty_listings(
  classes: Sequence[BenchmarkClass], looked_for: str
) -> list[Listing]:
  """Returns a listing without images for each class of a missing dataset."""
  return [Listing(entry, looked_for) for entry in classes]
