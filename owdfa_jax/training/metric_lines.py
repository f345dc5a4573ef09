"""The lines of `metrics.jsonl`: one JSON object per step that is recorded.

A value is a number, or null where it is not available, such as the mean of no
rows. A number that is not finite, which JSON does not have, is left out; the
object `not_finite` then has its name, and 'nan', 'inf' or '-inf'.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import IO, Any

from input_pipeline.files import open_regular

METRICS_FILE = 'metrics.jsonl'
NOT_FINITE = 'not_finite'
# The program's lines have some 2 kB. A longer one is damaged, and is not read
# into memory as a whole.
_MAX_LINE = 1 << 20


def encode_line(step: int, scalars: Mapping[str, Any]) -> str:
  """Returns a line with its newline.

  Args:
    step: the number of steps taken.
    scalars: numbers by name; None for one that is not available.

  Raises:
    ValueError: a value within a value is not finite.
  """
  line: dict[str, Any] = {'step': step}
  not_finite = {}
  for name, value in scalars.items():
    if isinstance(value, float) and not math.isfinite(value):
      not_finite[name] = str(value)
    elif name != 'step':
      line[name] = value
  if not_finite:
    line[NOT_FINITE] = not_finite
  return json.dumps(line, allow_nan=False) + '\n'


def read_lines(path: str | os.PathLike) -> Iterator[dict[str, Any]]:
  """Yields the lines of a file that are not damaged; none if there is no file.

  Each has a whole number `step`.
  """
  try:
    file = open_regular(path)
  except OSError:
    return
  with file:
    yield from (line for line in parse_lines(file) if line is not None)


def parse_lines(file: IO[bytes]) -> Iterator[dict[str, Any] | None]:
  """Yields each line of an open file, or None for one that is damaged.

  A last line without its newline, which a crash has cut short, is left out.
  """
  while text := file.readline(_MAX_LINE):
    too_long = len(text) == _MAX_LINE and not text.endswith(b'\n')
    while too_long and text and not text.endswith(b'\n'):
      text = file.readline(_MAX_LINE)
    if too_long:
      yield None
    elif text.endswith(b'\n'):
      yield _parse(text)


def _parse(text: bytes) -> dict[str, Any] | None:
  try:
    line = json.loads(text)
    if not isinstance(line, dict) or type(line.get('step')) is not int:
      return None
    # What cannot be written again is damaged too.
    encode_line(line['step'], line)
  except (ValueError, RecursionError):
    return None
  return line
