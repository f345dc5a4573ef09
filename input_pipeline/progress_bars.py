"""Progress of long jobs, on stderr: a bar on a terminal, else a line at times.

Both have the time left. With `be_quiet` there is neither.
"""

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

from tqdm import tqdm
from typing_extensions import override

from input_pipeline.escape import terminal_lines

Item = TypeVar('Item')
# Of a job whose stderr is no terminal: a log of a day has some hundred lines.
SECONDS_BETWEEN_LINES = 60.0


class ProgressBar(Protocol):
  """Shows how much of a job is done.

  As a context manager, it closes itself.

  Attributes:
    n: how much is done.
  """

  n: float

  def update(self, n: float = 1) -> object:
    """Counts what was done.

    Args:
      n: how much, since the last update.
    """

  def close(self) -> None:
    """Shows the bar no more."""

  def __enter__(self) -> 'ProgressBar': ...

  def __exit__(self, *exception: object) -> None: ...


class _Quiet:
  """Whether this process shows no progress."""

  quiet = False


def be_quiet() -> None:
  """Shows no progress from now on, in this process."""
  _Quiet.quiet = True


def is_quiet() -> bool:
  """Returns whether no progress is shown."""
  return _Quiet.quiet


@contextlib.contextmanager
def without_progress() -> Iterator[None]:
  """Shows no progress inside of it, for what is called as a library."""
  before = _Quiet.quiet
  _Quiet.quiet = True
  try:
    yield
  finally:
    _Quiet.quiet = before


def progress_line(line: str) -> None:
  """Prints what a job does now, on stderr, for a job of few long parts.

  Args:
    line: the text.
  """
  if not is_quiet():
    print(terminal_lines(line), file=sys.stderr, flush=True)


def progress_bar(
  title: str,
  total: int,
  unit: str,
  *,
  initial: int = 0,
  shown: bool = True,
  leave: bool = True,
) -> ProgressBar:
  """Returns a bar for a job.

  Args:
    title: what is done, one or two words.
    total: how much there is to do.
    unit: of what, such as 'image'.
    initial: how much was done before.
    shown: False for a bar that only counts.
    leave: whether the complete bar stays on the terminal.
  """
  if not shown or is_quiet():
    return _Lines(title, total, unit, initial, every=float('inf'))
  if not sys.stderr.isatty():
    return _Lines(title, total, unit, initial, every=SECONDS_BETWEEN_LINES)
  # tqdm's own types do not say that it is one.
  bar: Any = tqdm(
    desc=title,
    total=total,
    initial=initial,
    unit=unit,
    leave=leave,
    dynamic_ncols=True,
  )
  return bar


def with_progress(
  items: Iterable[Item],
  title: str,
  total: int,
  unit: str,
  *,
  shown: bool = True,
) -> Iterator[Item]:
  """Yields the items and shows how many were taken.

  Args:
    items: what the job goes through.
    title: as for `progress_bar`.
    total: their number.
    unit: of what.
    shown: False for a bar that only counts.
  """
  with progress_bar(title, total, unit, shown=shown) as bar:
    for item in items:
      yield item
      bar.update()


class _Lines(ProgressBar):
  """Prints a line when some time has passed."""

  def __init__(
    self, title: str, total: int, unit: str, initial: int, every: float
  ) -> None:
    self.n: float = initial
    self._shown_n: float = initial
    self._title, self._total, self._unit = title, total, unit
    self._every = every
    self._shown = time.monotonic()

  @override
  def update(self, n: float = 1) -> None:
    self.n += n
    now = time.monotonic()
    if now - self._shown >= self._every:
      print(self._line(now - self._shown), file=sys.stderr, flush=True)
      self._shown, self._shown_n = now, self.n

  def _line(self, seconds: float) -> str:
    # The rate is that since the last line: the first steps of a training wait
    # for the compiler.
    line = f'{self._title}: {self.n:,.0f} of {self._total:,} {self._unit}s'
    done = self.n - self._shown_n
    if done > 0:
      left = (self._total - self.n) * seconds / done
      line += f', {tqdm.format_interval(max(left, 0))} left'
    return line

  @override
  def close(self) -> None:
    pass

  @override
  def __enter__(self) -> 'ProgressBar':
    return self

  @override
  def __exit__(self, *exception: object) -> None:
    pass
