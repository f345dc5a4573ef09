"""Estimates how long the runs of a leaderboard still take."""

from collections.abc import Sequence

from tqdm import tqdm

from owdfa_jax.leaderboard.runs import Run


class TimeLeft:
  """Measures the runs that this process trains, and says how long it needs.

  A run takes as long as those of its row did. Of a row that was not trained
  yet, an epoch takes as long as in the others.
  """

  def __init__(self, runs: Sequence[Run]) -> None:
    """Takes the runs that are not finished.

    Args:
      runs: in the order of their training.
    """
    self._waiting = {run.folder: run for run in runs}
    self._measured: list[tuple[Run, float]] = []

  def add(self, run: Run, seconds: float) -> None:
    """Counts a run that was trained here.

    Args:
      run: the run.
      seconds: how long it took.
    """
    self.skip(run)
    self._measured.append((run, seconds))

  def skip(self, run: Run) -> None:
    """Leaves out a run that is finished, perhaps by another process.

    Args:
      run: the run.
    """
    self._waiting.pop(run.folder, None)

  def seconds(self) -> float | None:
    """Returns the time that the runs take which wait; None if it is unknown."""
    found = [self._seconds_of(run) for run in self._waiting.values()]
    known = [seconds for seconds in found if seconds is not None]
    return sum(known) if len(known) == len(found) else None

  def text(self) -> str:
    """Returns such as ', 3:20:00 left'; '' as long as it is unknown."""
    left = self.seconds()
    return '' if left is None else f', {tqdm.format_interval(left)} left'

  def _seconds_of(self, run: Run) -> float | None:
    same = [time for done, time in self._measured if done.row == run.row]
    if same:
      return sum(same) / len(same)
    epochs = sum(done.epochs for done, _ in self._measured)
    if not epochs:
      return None
    # A spectrum has no epochs, and takes little beside a network.
    taken = sum(time for done, time in self._measured if done.epochs)
    return run.epochs * taken / epochs
