"""The chosen files: checked, and linked or copied into one tree."""

import os
import pathlib
import shutil
from collections.abc import Sequence

from input_pipeline import outputs
from input_pipeline.benchmarks.naming import tree_folder
from input_pipeline.benchmarks.select import Pick
from input_pipeline.errors import UserError

TREE = 'images'


def check(picks: Sequence[Pick], on_error: str) -> dict[str, str]:
  """What is wrong with the files of `picks`, by path.

  Raises:
    UserError: something is, and `on_error` is 'stop'.
  """
  bad = {}
  for path in dict.fromkeys(pick.image.path for pick in picks):
    try:
      if not os.path.getsize(path):
        bad[path] = f'empty file: {path} (0 bytes)'
    except OSError as error:
      bad[path] = f'unreadable file: {path}: {error.strerror}'
    if bad and on_error == 'stop':
      raise UserError(
        f'{next(iter(bad.values()))}; fetch it again or give --on_error=skip'
      )
  return bad


def place(
  picks: Sequence[Pick], out: pathlib.Path, how: str | None
) -> dict[str, str]:
  """Links or copies the images below `out`/images.

  What lies there already stays, so an interrupted call is taken up again.
  Files that lie below `out` anyway (extracted frames) are left where they are.

  Args:
    picks: their files exist.
    out: the folder of the CSVs.
    how: 'link', 'copy' or None (leave the files where they are).

  Returns:
    What the CSV says of each image path: absolute, or relative to `out`.

  Raises:
    UserError: the disk is full, or a file cannot be written.
  """
  out = pathlib.Path(os.path.abspath(out))
  targets: dict[str, str] = {}
  for pick in picks:
    path = os.path.abspath(pick.image.path)
    if path.startswith(f'{out}{os.sep}'):
      targets[pick.image.path] = os.path.relpath(path, out)
    elif how is None:
      targets[pick.image.path] = path
    else:
      below = tree_folder(pick.entry, pick.image.image_source)
      targets[pick.image.path] = f'{TREE}/{below}/{pick.image.flat}'
  _check_distinct(targets)
  moved = {p: t for p, t in targets.items() if t.startswith(f'{TREE}/')}
  if how == 'copy':
    needed = sum(
      os.path.getsize(path)
      for path, target in moved.items()
      if not (out / target).exists()
    )
    outputs.check_space(out, needed)
  for path, target in moved.items():
    try:
      (out / target).parent.mkdir(parents=True, exist_ok=True)
      (_link if how == 'link' else _copy)(os.path.abspath(path), out / target)
    except OSError as error:
      raise UserError(
        f'cannot write {out / target}: {error.strerror}; what is there is kept '
        'and the same command goes on from it'
      ) from error
  return targets


def _check_distinct(targets: dict[str, str]) -> None:
  seen: dict[str, str] = {}
  for path, target in targets.items():
    if target in seen:
      raise UserError(
        f'two images would both be called {target}: {seen[target]} and {path}; '
        'rename one'
      )
    seen[target] = path


def _link(path: str, target: pathlib.Path) -> None:
  if os.path.lexists(target):
    if os.path.islink(target) and os.readlink(target) == path:
      return
    os.unlink(target)
  os.symlink(path, target)


def _copy(path: str, target: pathlib.Path) -> None:
  whole = target.is_file() and not target.is_symlink()
  if whole and target.stat().st_size == os.path.getsize(path):
    return
  temporary = target.with_name(f'{target.name}.{os.getpid()}.tmp')
  try:
    shutil.copyfile(path, temporary)
    os.replace(temporary, target)
  finally:
    temporary.unlink(missing_ok=True)
