"""Which rows make which batch, as pure functions of (seed, step).

Only row numbers are handled here, no images. Orders are drawn by NumPy's
`RandomState`, whose streams are frozen, so that a stream is the same with every
NumPy version and number of workers.
"""

import threading
from collections.abc import Sequence

import numpy as np

from input_pipeline.meta import LABELLED

# Numbers of further streams; the stream of a class has the number of its id.
_UNLABELLED = 2**32 - 1
_HELD_OUT = 2**32 - 2

# Draws all orders: creating a generator takes ten times as long as seeding one
# anew, since it gathers entropy first.
_draws = np.random.RandomState(0)
_draws_lock = threading.Lock()


class ShuffledStream:
  """Endless walks over a list of n rows, each walk in a new order.

  Position p is in walk p // n, at index p % n of the walk. Every row appears
  once in each walk. The order of a walk depends on (seed, stream, walk) alone.
  """

  def __init__(self, rows: np.ndarray, seed: int, stream: int) -> None:
    """Keeps the rows; orders are drawn when they are needed.

    Args:
      rows: int32 [n], n > 0.
      seed: below 2**32.
      stream: the number of the stream, below 2**32.
    """
    if not len(rows):
      raise ValueError('A stream needs at least one row.')
    self.rows = np.asarray(rows, np.int32)
    self._key = (seed, stream)
    self._orders: dict[int, np.ndarray] = {}

  def take(self, positions: np.ndarray) -> np.ndarray:
    """Returns the rows at `positions`, int64 [m], as int32 [m]."""
    walk, index = np.divmod(positions, len(self.rows))
    # `set` costs a tenth of np.unique for the few rows of a class.
    walks = set(walk.tolist())
    if len(walks) == 1:
      return self._order(walks.pop())[index]
    taken = np.empty(len(positions), np.int32)
    for w in walks:
      here = walk == w
      taken[here] = self._order(w)[index[here]]
    return taken

  def _order(self, walk: int) -> np.ndarray:
    order = self._orders.get(walk)
    if order is None:
      seed, stream = self._key
      # A seed is made of 32-bit words, so the walk is split into two.
      words = [seed, stream, walk % 2**32, walk >> 32]
      with _draws_lock:
        _draws.seed(words)
        order = _draws.permutation(self.rows)
      # Threads share the dict, so it is replaced and never changed. If two of
      # them replace it at once, one order is drawn again later.
      # The last few are kept: batches made ahead read two walks in turn.
      recent = list(self._orders.items())[-3:]
      self._orders = dict([*recent, (walk, order)])
    return order


class BalancedStream:
  """Takes turns over one stream per class; counts differ by at most 1."""

  def __init__(self, streams: Sequence[ShuffledStream]) -> None:
    self.streams = tuple(streams)

  def take(self, positions: np.ndarray) -> np.ndarray:
    """Returns the rows at `positions`, int64 [m], as int32 [m]."""
    turn, which = np.divmod(positions, len(self.streams))
    taken = np.empty(len(positions), np.int32)
    for c in set(which.tolist()):
      here = which == c
      taken[here] = self.streams[c].take(turn[here])
    return taken


class AlternatingStream:
  """Takes even positions from `first` and odd positions from `second`."""

  def __init__(
    self,
    first: ShuffledStream | BalancedStream,
    second: ShuffledStream | BalancedStream,
  ) -> None:
    self.first, self.second = first, second

  def take(self, positions: np.ndarray) -> np.ndarray:
    """Returns the rows at `positions`, int64 [m], as int32 [m]."""
    turn, odd = np.divmod(positions, 2)
    taken = np.empty(len(positions), np.int32)
    taken[odd == 0] = self.first.take(turn[odd == 0])
    taken[odd == 1] = self.second.take(turn[odd == 1])
    return taken


Stream = ShuffledStream | BalancedStream | AlternatingStream


def rows_by_class(
  label: np.ndarray, among: np.ndarray
) -> dict[int, np.ndarray]:
  """Returns the rows of each class, in file order.

  Args:
    label: int [n], -1 for rows without a class, which are left out.
    among: bool [n], the rows to consider.

  Returns:
    From the class id to its rows.
  """
  classes = np.unique(label[among & (label >= 0)])
  return {int(c): np.flatnonzero(among & (label == c)) for c in classes}


def draw_validation_rows(
  label: np.ndarray,
  tag: np.ndarray,
  share: float,
  seed: int,
  group: np.ndarray | None = None,
) -> np.ndarray:
  """Draws the labelled rows that are held out of training.

  From a class with n groups of labelled rows, max(1, int(share * n)) groups are
  drawn, but at least one group stays for training.

  Args:
    label: int [n], true labels of the training rows.
    tag: int [n], their tags.
    share: the share held out, in [0, 1); 0 holds out nothing.
    seed: below 2**32.
    group: int [n], the group of each row; None if each is one by itself.

  Returns:
    int32 [v], sorted.
  """
  if not 0 <= share < 1:
    raise ValueError(f'share={share} is not in [0, 1).')
  held = [np.empty(0, np.int64)]
  if share:
    for c, rows in rows_by_class(label, tag == LABELLED).items():
      of_row = np.arange(len(label))[rows] if group is None else group[rows]
      _, first = np.unique(of_row, return_index=True)
      groups = of_row[np.sort(first)]  # in the order of their first rows
      # At least one, so that every class is validated.
      count = min(max(1, int(share * len(groups))), len(groups) - 1)
      draws = np.random.RandomState([seed, _HELD_OUT, c])
      drawn = draws.permutation(groups)[:count]
      held.append(rows[np.isin(of_row, drawn)])
  return np.sort(np.concatenate(held)).astype(np.int32)


def make_stream(
  given: np.ndarray,
  unlabelled: np.ndarray,
  *,
  seed: int,
  supervision: str,
  held_out: np.ndarray,
) -> Stream:
  """Returns the endless stream of training rows.

  Args:
    given: int32 [n], the class that a row is trained as, -1 for none.
    unlabelled: bool [n], the rows that are drawn without a label.
    seed: below 2**32.
    supervision: 'open_world': rows with a class at even positions, balanced
      over the classes, and unlabelled rows at odd positions. 'labelled' and
      'all': the even positions of that stream alone; with 'all', `given` has
      the class of every row.
    held_out: int [v], rows that never appear.
  """
  usable = given >= 0
  # Validation rows are labelled, so they are in no other part of the stream;
  # unlabelled rows of their groups are not in `unlabelled`.
  usable[held_out] = False
  balanced = BalancedStream(
    [
      ShuffledStream(rows, seed, c)
      for c, rows in rows_by_class(given, usable).items()
    ]
  )
  if supervision in ('labelled', 'all'):
    return balanced
  if supervision != 'open_world':
    raise ValueError(f'Unknown supervision {supervision!r}.')
  return AlternatingStream(
    balanced, ShuffledStream(np.flatnonzero(unlabelled), seed, _UNLABELLED)
  )


def batch_positions(
  step: int, rows_per_batch: int, own_rows: np.ndarray
) -> np.ndarray:
  """Returns the stream positions of a process's part of a global batch.

  The global batch `step` of B rows covers the positions from step * B to
  (step + 1) * B.

  Args:
    step: the number of the batch.
    rows_per_batch: B.
    own_rows: int [b], which of the B rows the process has.

  Returns:
    int64 [b].
  """
  return step * rows_per_batch + own_rows.astype(np.int64)
