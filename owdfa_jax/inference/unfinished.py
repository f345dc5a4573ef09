"""The answers of an attribution that is under way, so that it can go on.

`TABLE.unfinished` has a line of JSON for each answer. The first line says what
gives the answers: an attribution by another network does not go on with them.
After a tab, each other line has a checksum of the lines up to it. Where a line
was changed, the answers from there on are found again.
"""

import contextlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import write_whole
from input_pipeline.storage import place_beside

_SUFFIX = '.unfinished'
# What the first line holds.
MADE_BY = 'made_by'
# Parts of that which are no options, in words.
_WORDS = {
  'checkpoint': 'another checkpoint',
  'names': 'other names',
  'classes': 'other names',
  'parts': 'clusters split otherwise',
  'classify_by': 'another setting eval.classify_by',
  'whitening': 'another setting eval.whitening',
  'threshold': 'another threshold of none of these',
  'calibration': 'another temperature',
  'faces_of_videos': 'another version',
}


class UnfinishedTable:
  """The file of the answers so far, open to append more.

  Attributes:
    path: of the file.
    done: the names of the images that have an answer.
  """

  def __init__(
    self, table: str | os.PathLike[str], made_by: Mapping[str, Any]
  ) -> None:
    """Reads the file, if it is there; nothing is written yet.

    The answers for files that have changed since are dropped.

    Args:
      table: the path of the table that is to be written.
      made_by: what gives the answers, for JSON.

    Raises:
      UserError: the file is of something else, or cannot be read.
    """
    self.path = unfinished_path(table)
    self._made_by = dict(made_by)
    self.done: set[str] = set()
    self._checksum = 0
    if os.path.exists(self.path):
      self._read()
    self._file: IO[str] | None = None

  def _read(self) -> None:
    made_by: Any = None
    try:
      for row in self._rows():
        if made_by is None:
          made_by = row.get(MADE_BY, {})
        elif is_part(row):
          continue  # the line of the file comes after those of its parts
        elif row['stat'] == file_state(row['image']):
          self.done.add(row['image'])
    except (
      OSError,
      LookupError,
      ValueError,
      TypeError,
      AttributeError,
    ) as error:
      raise UserError(
        f'damaged file: {self.path} ({error}); remove it'
      ) from error
    if made_by not in (None, self._made_by):
      raise UserError(
        f'an unfinished attribution by something else: {self.path} '
        f'({what_differs(made_by, self._made_by)}); remove it, or give another '
        '--out'
      )

  def __enter__(self) -> 'UnfinishedTable':
    with write_whole(self.path, text=True, what='the answers') as file:
      first = json.dumps({MADE_BY: self._made_by})
      self._checksum = zlib.crc32(first.encode())
      file.write(f'{first}\n')
      # Read again: a million answers do not go into memory.
      for row in self._answers():
        if row['image'] in self.done:
          file.write(self._line_of(row))
    self._file = open(self.path, 'a', encoding='utf-8')
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
  ) -> None:
    if self._file is not None:
      # Lines that find no room are found again.
      with contextlib.suppress(OSError):
        self._file.close()

  def add(self, row: Mapping[str, Any]) -> None:
    """Appends an answer.

    Args:
      row: its columns, for JSON, with `image`; and `stat`, if the file may have
        changed since it was read.

    Raises:
      UserError: the file cannot be written.
    """
    assert self._file is not None
    try:
      if 'stat' not in row:
        row = {**row, 'stat': file_state(row['image'])}
      self._file.write(self._line_of(row))
    except OSError as error:
      raise UserError(
        f'cannot write the answers: {self.path} ({error.strerror}); free some '
        'space, then give the same command'
      ) from error

  def rows(self) -> Iterator[dict[str, Any]]:
    """Yields all answers in the order in which they were added."""
    assert self._file is not None
    self._file.flush()
    yield from self._answers()

  def remove(self) -> None:
    """Removes the file, once the table is written."""
    os.unlink(self.path)

  def _line_of(self, row: Mapping[str, Any]) -> str:
    """Returns the line of a row that comes after those written so far."""
    text = json.dumps(row)
    self._checksum = zlib.crc32(text.encode(), self._checksum)
    return f'{text}\t{self._checksum:08x}\n'

  def _answers(self) -> Iterator[dict[str, Any]]:
    """Yields the rows without the first line; none if there is no file."""
    if os.path.exists(self.path):
      found = self._rows()
      next(found, None)
      yield from found

  def _rows(self) -> Iterator[dict[str, Any]]:
    """Yields the first line, and the rows up to one that was changed.

    Or to one that was being written when the process was killed.
    """
    checksum = None
    with open(self.path, encoding='utf-8') as file:
      for line in file:
        text, _, found = line.rstrip('\n').partition('\t')
        is_first = checksum is None
        checksum = zlib.crc32(text.encode(), checksum or 0)
        try:
          row = strict_json.loads(text)
        except ValueError:
          return
        if not is_first and found != f'{checksum:08x}':
          return
        yield row


def unfinished_path(table: str | os.PathLike[str]) -> str:
  """Returns the path of the answers so far of a table.

  Args:
    table: the path of the table that is to be written.
  """
  return f'{place_beside(table)}{_SUFFIX}'


def what_differs(before: Any, now: Mapping[str, Any]) -> str:
  """Returns in words how what gives answers differs from what gave others.

  Args:
    before: `made_by` of the answers that are there.
    now: that of the answers to come.
  """
  if not isinstance(before, dict):
    return 'a damaged first line'
  keys = [k for k in {**before, **now} if before.get(k) != now.get(k)]
  words = [_WORDS.get(k, f'another --{k}') for k in keys]
  return ', '.join(dict.fromkeys(words))


def is_part(row: Mapping[str, Any]) -> bool:
  """Returns whether a line is of a frame or a face, not of a file.

  Args:
    row: columns of an answer.
  """
  return row.get('frame') is not None or row.get('face') is not None


def file_state(path: str) -> list[int]:
  """Returns the size and the time of change of a file; [] without one.

  Args:
    path: of the file, or what names an image that is none.
  """
  try:
    status = os.stat(path)
  except (OSError, ValueError):
    return []
  return [status.st_size, status.st_mtime_ns]
