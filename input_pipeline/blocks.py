"""Blocks: images that a split keeps on one side, and how they are drawn.

A block may have images of several classes: those of one prompt, of one person,
or of one recording. A group, which gets one verdict, is of one class.
"""

import collections
import contextlib
import os
import re
import signal
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

from input_pipeline.errors import UsageError, UserError
from input_pipeline.escape import quoted, shortened

_RULES = 'file_name, prefix:TEXT or pattern:REGEX'
# Some expressions, such as (a+)+b, take years for a path of 40 characters.
_SEARCH_SECONDS = 5.0


def block_rule(text: str) -> Callable[[str], str]:
  """Returns the function that names the block of an image.

  Args:
    text: 'file_name', the name without its suffix; 'prefix:_', what is before
      the first '_' of the name; 'pattern:REGEX', what the first group of a
      regular expression matches in the path below the class folder, or the
      whole match if it has no group.

  Returns:
    From the path of an image below its class folder to the name of its block.
    It raises `UserError` for a path that the rule does not fit.

  Raises:
    UserError: there is no such rule.
  """
  kind, colon, value = text.partition(':')
  if text == 'file_name':
    return lambda path: os.path.splitext(os.path.basename(path))[0]
  if kind == 'prefix' and value:
    return lambda path: _before(path, value, text)
  if kind == 'pattern' and value:
    try:
      pattern = re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
      raise UsageError(
        f'bad regular expression: --group_by={shortened(text, 200)}: {error}; '
        'correct it'
      ) from error
    return lambda path: _matched(path, pattern, text)
  missing = ', with something after the colon' if colon else ''
  raise UsageError(
    f'no such rule: --group_by={shortened(text, 200)}; give {_RULES}{missing}'
  )


def _before(path: str, separator: str, rule: str) -> str:
  start, found, _ = os.path.basename(path).partition(separator)
  if not found or not start:
    raise _does_not_fit(path, rule, f'nothing before {quoted(separator)}')
  return start


def _matched(path: str, pattern: re.Pattern[str], rule: str) -> str:
  slow = UserError(
    f'a slow regular expression: --group_by={shortened(rule, 200)}: '
    f'{quoted(path)} takes more than {_SEARCH_SECONDS:g} seconds; write it '
    'without a repetition of a repetition'
  )
  with _time_limit(_SEARCH_SECONDS, slow):
    match = pattern.search(path)
  name = match and match[1 if pattern.groups else 0]
  if not name:
    raise _does_not_fit(path, rule, 'no match')
  return name


@contextlib.contextmanager
def _time_limit(seconds: float, error: UserError) -> Iterator[None]:
  """Raises `error` if what runs inside takes longer.

  Only the main thread can be interrupted; in others there is no limit.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return

  def stop(*_: object) -> None:
    raise error

  before = signal.signal(signal.SIGALRM, stop)
  signal.setitimer(signal.ITIMER_REAL, seconds)
  try:
    yield
  finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _does_not_fit(path: str, rule: str, why: str) -> UserError:
  return UserError(
    f'an image of no block: --group_by={shortened(rule, 200)}: {quoted(path)} '
    f'({why}); rename the image or give another rule'
  )


def blocks_of(names: Sequence[Hashable]) -> list[list[int]]:
  """Returns the rows of each block, in the order of their first rows.

  Args:
    names: the block of each row.
  """
  blocks: dict[Hashable, list[int]] = {}
  for row, name in enumerate(names):
    blocks.setdefault(name, []).append(row)
  return list(blocks.values())


def draw_test_blocks(
  blocks: Sequence[list[int]],
  kinds: Sequence[Hashable],
  share: float,
  seed: int,
) -> set[int]:
  """Draws the blocks of the test set.

  About `share` of each kind is drawn. Blocks are shuffled, and those of several
  kinds come first, because they are the hardest to fit in. A block becomes test
  data if that brings no kind further from its share. A kind of very few blocks
  may get no test row.

  Args:
    blocks: the rows of each block.
    kinds: the kind of each row, such as its class.
    share: the share of the test set, in (0, 1).
    seed: the seed of NumPy's legacy generator.

  Returns:
    The rows of the test set.
  """
  quota = {
    kind: round(share * count)
    for kind, count in collections.Counter(kinds).items()
  }
  generator = np.random.RandomState(seed)
  shuffled = [blocks[i] for i in generator.permutation(len(blocks))]
  shuffled.sort(key=lambda rows: -len({kinds[row] for row in rows}))
  held_out = collections.Counter()
  test: set[int] = set()
  for rows in shuffled:
    size = collections.Counter(kinds[row] for row in rows)
    # Adding `count` brings a kind no further from its quota as long as at most
    # half of `count` exceeds it.
    if all(
      2 * held_out[kind] + count <= 2 * quota[kind]
      for kind, count in size.items()
    ):
      held_out += size
      test.update(rows)
  return test
