"""Checks the chosen files, and links or copies them into one tree."""

import os
import pathlib
import shutil
from collections.abc import Sequence

from input_pipeline import output_folders
from input_pipeline.benchmarks.candidates import tree_folder
from input_pipeline.benchmarks.picks import Pick
from input_pipeline.errors import UserError
from input_pipeline.files import absolute, open_regular, write_whole

_TREE = 'images'
_CONTINUE = 'make room and run the same command again; it continues from there'


def check_files(picks: Sequence[Pick], on_error: str) -> dict[str, str]:
  """Returns what is wrong with the files of `picks`, by path.

  Raises:
    UserError: a file is empty or cannot be read, and `on_error` is 'stop'.
  """
  bad = {}
  for path in dict.fromkeys(pick.image.path for pick in picks):
    try:
      with open_regular(path) as file:
        if not file.read(1):
          bad[path] = f'empty file: {path} (0 bytes)'
    except OSError as error:
      bad[path] = f'unreadable file: {path}: {error.strerror}'
    if bad and on_error == 'stop':
      raise UserError(
        f'{next(iter(bad.values()))}; download it again or give --on_error=skip'
      )
  return bad


def gather_images(
  picks: Sequence[Pick], out: pathlib.Path, how: str | None
) -> dict[str, str]:
  """Links or copies the images below `out`/images.

  Files that are already there are not written again, so that an interrupted
  command can continue. Images that lie below `out` anyway (extracted frames)
  stay where they are.

  Args:
    picks: the images; their files exist.
    out: the folder of the CSVs.
    how: 'link', 'copy' or None (leave all files where they are).

  Returns:
    For each image path the path to write into the CSV: relative to `out` if
    the file is below it, else absolute.

  Raises:
    UserError: the disk is full, or a file cannot be written.
  """
  out = pathlib.Path(absolute(out))
  targets = _choose_targets(picks, out, how)
  gathered = {p: t for p, t in targets.items() if t.startswith(f'{_TREE}/')}
  if how == 'copy':
    needed = sum(
      os.path.getsize(path)
      for path, target in gathered.items()
      if not (out / target).exists()
    )
    output_folders.check_space(out, needed)
  write = _link if how == 'link' else _copy
  for path, target in gathered.items():
    write(absolute(path), out / target)
  return targets


def _choose_targets(
  picks: Sequence[Pick], out: pathlib.Path, how: str | None
) -> dict[str, str]:
  """Returns the path that the CSV gets for each image path."""
  targets: dict[str, str] = {}
  for pick in picks:
    path = absolute(pick.image.path)
    if path.startswith(f'{out}{os.sep}'):
      targets[pick.image.path] = os.path.relpath(path, out)
    elif how is None:
      targets[pick.image.path] = path
    else:
      below = tree_folder(pick.entry, pick.image.image_source)
      targets[pick.image.path] = f'{_TREE}/{below}/{pick.image.flat}'
  paths: dict[str, str] = {}
  for path, target in targets.items():
    if target in paths:
      raise UserError(
        f'two images would both be called {target}: {paths[target]} and '
        f'{path}; rename one'
      )
    paths[target] = path
  return targets


def _link(path: str, target: pathlib.Path) -> None:
  try:
    if os.path.lexists(target):
      if os.path.islink(target) and os.readlink(target) == path:
        return
      os.unlink(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(path, target)
  except OSError as error:
    raise UserError(
      f'cannot write the link: {target} ({error.strerror}); {_CONTINUE}'
    ) from error


def _copy(path: str, target: pathlib.Path) -> None:
  # A file of the right size is whole, because copies appear only when they are
  # complete. A link may be left from a call with --link.
  whole = target.is_file() and not target.is_symlink()
  if whole and target.stat().st_size == os.path.getsize(path):
    return
  with (
    # Waiting for the disk would take minutes for tens of thousands of images.
    write_whole(target, what='the copy', remedy=_CONTINUE, sync=False) as file,
    open_regular(path) as image,
  ):
    shutil.copyfileobj(image, file)
