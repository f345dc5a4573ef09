"""What the cases make their inputs of: parts of sound inputs, then damaged.

Functions named after a thing make it in the folder of a case; the others return
such a function.
"""

import json
import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np

from bad_input.case import Make
from helpers import imagesets
from input_pipeline import meta

_base: list[pathlib.Path] = []


def set_base(folder: pathlib.Path) -> None:
  """Says where the sound inputs are, which `bad_input.server` makes."""
  _base[:] = [folder]


def base() -> pathlib.Path:
  """Returns the folder of the sound inputs."""
  return _base[0]


def nothing(folder: pathlib.Path) -> None:
  """Leaves the folder empty."""


def packed(folder: pathlib.Path) -> None:
  """Copies a packed dataset of 4 classes to `packed`."""
  shutil.copytree(base() / 'packed', folder / 'packed')


def trained(folder: pathlib.Path) -> None:
  """Copies the packed dataset, and a run trained on it, to `run`."""
  packed(folder)
  shutil.copytree(base() / 'run', folder / 'run')


def table(folder: pathlib.Path) -> None:
  """Copies a meta CSV, `meta.csv`, with its images."""
  shutil.copytree(base() / 'images', folder, dirs_exist_ok=True)


def classes(folder: pathlib.Path) -> None:
  """Makes class folders A, B and C with 5 images each, below `faces`."""
  for name in 'ABC':
    (folder / 'faces' / name).mkdir(parents=True)
    for number in range(5):
      _picture(folder / 'faces' / name / f'{number}.png', ord(name) + number)


def photos(folder: pathlib.Path) -> None:
  """Makes a folder `photos` with an image."""
  (folder / 'photos').mkdir()
  _picture(folder / 'photos' / 'a.png', 1)


def _picture(path: pathlib.Path, seed: int) -> None:
  import cv2

  cv2.imwrite(str(path), imagesets.image(16, seed))


def file(name: str, content: bytes | str = b'') -> Make:
  """Writes a file."""

  def make(folder: pathlib.Path) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # Otherwise a link's target would be written.
    if path.is_symlink():
      path.unlink()
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data)

  return make


def edited(name: str, edit: Callable[[bytes], bytes]) -> Make:
  """Changes the bytes of a file; `name` may be a pattern of one or more."""

  def make(folder: pathlib.Path) -> None:
    paths = sorted(folder.glob(name))
    assert paths, name
    for path in paths:
      path.write_bytes(edit(path.read_bytes()))

  return make


def json_edited(name: str, edit: Callable[[dict], object]) -> Make:
  """Changes the object in a JSON file in place."""

  def make(folder: pathlib.Path) -> None:
    path = folder / name
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))

  return make


def npz_edited(name: str, **columns: Callable[[np.ndarray], object]) -> Make:
  """Changes arrays of an `.npz` file."""

  def make(folder: pathlib.Path) -> None:
    with np.load(folder / name) as content:
      arrays = dict(content)
    for column, edit in columns.items():
      arrays[column] = edit(arrays[column])
    np.savez(folder / name, **arrays)

  return make


def npz(name: str, **arrays: object) -> Make:
  """Writes an `.npz` file."""

  def make(folder: pathlib.Path) -> None:
    np.savez(folder / name, **arrays)

  return make


def removed(name: str) -> Make:
  """Removes files or folders; `name` may be a pattern."""

  def make(folder: pathlib.Path) -> None:
    paths = sorted(folder.glob(name))
    assert paths, name
    for path in paths:
      if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
      else:
        path.unlink()

  return make


def directory(name: str) -> Make:
  """Makes a folder, in the place of a file if there is one."""

  def make(folder: pathlib.Path) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)

  return make


def fifo(name: str) -> Make:
  """Makes a named pipe that nothing writes to."""

  def make(folder: pathlib.Path) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)

  return make


def link(name: str, target: str) -> Make:
  """Makes a link, such as to /dev/zero."""

  def make(folder: pathlib.Path) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)

  return make


def mode(name: str, bits: int) -> Make:
  """Changes the permissions of a file or folder."""

  def make(folder: pathlib.Path) -> None:
    (folder / name).chmod(bits)

  return make


def rows(*changes: dict, columns: tuple[str, ...] | None = None) -> Make:
  """Writes a `meta.csv` of 2 known and 1 novel class, with changes.

  Args:
    *changes: fields of the first rows, one dict for each.
    columns: the header; by default that of a meta CSV.
  """

  def make(folder: pathlib.Path) -> None:
    sound = [
      imagesets.meta_row(label, number, tag=1 if label < 2 else 2)
      for label in range(3)
      for number in range(3)
    ]
    for row, change in zip(sound, changes, strict=False):
      row |= change
    header = columns or meta.COLUMNS
    lines = [','.join(header)]
    lines += [','.join(_cell(row.get(c, '')) for c in header) for row in sound]
    text = '\n'.join(lines) + '\n'
    (folder / 'meta.csv').write_bytes(text.encode('utf-8', 'surrogateescape'))

  return make


def _cell(value: object) -> str:
  text = str(value)
  if any(c in text for c in ',"\n\r'):
    text = '"' + text.replace('"', '""') + '"'
  return text
