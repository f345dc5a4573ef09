"""Draws the page of a run that lies in a bucket.

The page is drawn in a local copy of the run, and its files are uploaded.
"""

import os
import pathlib
import re
import tempfile
from collections.abc import Callable

from input_pipeline import object_store, storage, strict_json
from input_pipeline.errors import reworded
from input_pipeline.files import LIST_LIMIT, file_sha256, read_text
from owdfa_jax.evaluation.report_files import REPORT_FILE

# The step of a checkpoint, and the folder of its run or stage.
_OF_CHECKPOINT = re.compile(r'(.*/)?checkpoints/([^/]+)/')
_NOT_NEEDED = re.compile(r'(.*/)?tensorboard/')


def draw_in_store(
  url: str, draw: Callable[[pathlib.Path], pathlib.Path]
) -> str:
  """Draws the page of a run beside its other files; returns where it is.

  Args:
    url: of the run, or of all its stages.
    draw: draws the page of a run in a local folder, and returns its path. A
      path elsewhere is returned as it is.

  Raises:
    OSError: a file cannot be read or written.
    UserError: what `draw` raises.
  """
  with tempfile.TemporaryDirectory() as place:
    # The page shows the name of the folder.
    folder = pathlib.Path(place, url.rpartition('/')[2])
    for name in object_store.object_names(url):
      if _is_needed(url, name):
        object_store.download_file(f'{url}/{name}', folder / name)
    before = _digests(folder)
    with reworded({str(folder): url}):
      page = draw(folder)
    now = _digests(folder)
    storage.remove(url, sorted(before.keys() - now.keys()))
    for name in sorted(now):
      if now[name] != before.get(name):
        object_store.upload_file(folder / name, f'{url}/{name}')
    if not page.is_relative_to(folder):
      return str(page)
    return f'{url}/{page.relative_to(folder).as_posix()}'


def _digests(folder: pathlib.Path) -> dict[str, str]:
  """Returns the SHA-256 of each file below a folder by its name."""
  return {
    path.relative_to(folder).as_posix(): file_sha256(path)
    for path in folder.rglob('*')
    if path.is_file()
  }


def _is_needed(url: str, name: str) -> bool:
  """Returns whether the page may need an object of a run.

  Of the checkpoints, it needs the one that was evaluated.
  """
  if match := _OF_CHECKPOINT.match(name):
    run = f'{url}/{match[1] or ""}'.rstrip('/')
    return match[2] == _evaluated_step(run)
  return not _NOT_NEEDED.match(name)


def _evaluated_step(run: str | os.PathLike) -> str:
  try:
    report = strict_json.loads(read_text(f'{run}/{REPORT_FILE}', LIST_LIMIT))
    return str(report['checkpoint_step'])
  except (OSError, ValueError, KeyError, TypeError):
    return ''
