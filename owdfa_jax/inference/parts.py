"""The answers of an attribution whose parts several machines write.

Beside a table `TABLE` lies the folder `TABLE.parts`. Its `task.json` says which
run answers and how, `PART.images.json` has the images of a part, and
`PART.answers.jsonl` their answers: a line that says what gives them, then a
line of JSON for each answer, as in `TABLE.unfinished`. A file appears once it
is complete, so a part may be written twice.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import LIST_LIMIT, read_text, write_whole
from input_pipeline.storage import place_beside
from owdfa_jax.inference.unfinished import (
  MADE_BY,
  UnfinishedTable,
  is_part,
  what_differs,
)

_TASK = 'task.json'
_IMAGES = '.images.json'
_ANSWERS = '.answers.jsonl'
_FAILED = 'failed'
# About two batches: a part that is lost costs seconds, and few files are open.
IMAGES_PER_PART = 512

Row = dict[str, Any]


class Parts:
  """The parts of a table, as the machine sees them that wants the table.

  Attributes:
    folder: where their files are.
  """

  def __init__(self, table: str | os.PathLike[str]) -> None:
    """Writes nothing yet.

    Args:
      table: the path of the table that is to be written.
    """
    self._table = table
    self.folder = f'{os.path.abspath(place_beside(table))}.parts'

  def take_finished(self, made_by: Mapping[str, Any]) -> None:
    """Moves the answers that are there into the unfinished table.

    Args:
      made_by: what gives the answers.

    Raises:
      UserError: they are of something else, or damaged.
    """
    if not os.path.isdir(self.folder):
      return
    with UnfinishedTable(self._table, made_by) as table:
      for name in sorted(os.listdir(self.folder)):
        if not name.endswith(_ANSWERS):
          continue
        first, rows = _read_answers(os.path.join(self.folder, name))
        if _FAILED in first:
          continue
        if first.get(MADE_BY) != made_by:
          raise UserError(
            f'unfinished answers by something else: {self.folder}: of '
            f'{what_differs(first.get(MADE_BY), made_by)}; remove it, or give '
            'another --out'
          )
        for row in rows:
          if row['image'] not in table.done:
            table.add(row)
    self.remove()

  def write(
    self, task: Mapping[str, Any], images: Sequence[str], each: int
  ) -> list[str]:
    """Writes what the workers need.

    Args:
      task: what `read_task` returns there, for JSON.
      images: the paths of the images.
      each: how many of them go into a part.

    Returns:
      The parts, by their paths without the endings.

    Raises:
      UserError: a file cannot be written.
    """
    _write(os.path.join(self.folder, _TASK), json.dumps(task))
    paths = []
    for start in range(0, len(images), each):
      content = json.dumps(list(images[start : start + each]))
      # A worker of an earlier attempt may still write its part.
      name = hashlib.sha256(content.encode()).hexdigest()[:16]
      paths.append(os.path.join(self.folder, f'{start // each:06}-{name}'))
      _write(f'{paths[-1]}{_IMAGES}', content)
    return paths

  def rows(self, paths: Sequence[str]) -> Iterator[list[Row]]:
    """Yields the lines of each image in turn, that of the image last.

    Args:
      paths: of the parts, whose images come in their order.

    Raises:
      UserError: a part is missing, damaged, or could not be answered.
    """
    for path in paths:
      try:
        first, rows = _read_answers(f'{path}{_ANSWERS}')
      except FileNotFoundError as error:
        raise UserError(
          f'no answers in {path}{_ANSWERS}: the workers must write to the same '
          'folder as this machine; put --out on a shared file system'
        ) from error
      if _FAILED in first:
        raise UserError(first[_FAILED])
      yield from _by_image(rows)

  def remove(self) -> None:
    """Removes the folder, if it is there."""
    shutil.rmtree(self.folder, ignore_errors=True)


def read_task(part: str) -> tuple[dict[str, Any], list[str]]:
  """Returns what a worker is to do.

  Args:
    part: the path of the part.

  Returns:
    The task, and the paths of the images of the part.

  Raises:
    UserError: it cannot be read.
  """
  try:
    task = read_text(os.path.join(os.path.dirname(part), _TASK), LIST_LIMIT)
    images = read_text(f'{part}{_IMAGES}', LIST_LIMIT)
  except OSError as error:
    raise UserError(
      f'a worker does not see {part} ({error.strerror}); put --out on a shared '
      'file system'
    ) from error
  return strict_json.loads(task), strict_json.loads(images)


def write_answers(
  part: str, made_by: Mapping[str, Any], rows: Iterable[Row]
) -> None:
  """Writes the answers of a part as they come.

  Args:
    part: its path.
    made_by: what gives the answers.
    rows: the lines, for JSON.

  Raises:
    UserError: the file cannot be written.
  """
  with write_whole(f'{part}{_ANSWERS}', text=True, what='the answers') as file:
    file.write(f'{json.dumps({MADE_BY: made_by})}\n')
    for row in rows:
      file.write(f'{json.dumps(row)}\n')


def write_failure(part: str, why: str) -> None:
  """Writes why a part has no answers.

  Args:
    part: its path.
    why: the message of the error.
  """
  _write(f'{part}{_ANSWERS}', json.dumps({_FAILED: why}) + '\n')


def _write(path: str, content: str) -> None:
  with write_whole(path, text=True, what='a part', sync=False) as file:
    file.write(content)


def _read_answers(path: str) -> tuple[Row, Iterator[Row]]:
  """Returns the first line of a file of answers, and the others as they come.

  Raises:
    FileNotFoundError: there is none.
    UserError: it is damaged.
  """
  lines = _lines(path)
  return next(lines, {}), lines


def _lines(path: str) -> Iterator[Row]:
  try:
    with open(path, encoding='utf-8') as file:
      for line in file:
        row = strict_json.loads(line)
        if not isinstance(row, dict):
          raise ValueError('a line is no object')
        yield row
  except ValueError as error:
    raise UserError(f'damaged file: {path} ({error}); remove it') from error


def _by_image(rows: Iterable[Row]) -> Iterator[list[Row]]:
  found: list[Row] = []
  for row in rows:
    found.append(row)
    if not is_part(row):
      yield found
      found = []
