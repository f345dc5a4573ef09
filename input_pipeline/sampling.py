"""Which rows make which batch: pure functions of (seed, step).

Index space only: no image is opened here. NumPy's frozen `RandomState` draws
the orders, so that a stream is the same under every version and worker count.
"""

from collections.abc import Sequence

import numpy as np

from input_pipeline.meta import LABELLED

# Stream numbers beside the class ids, which name the per-class streams.
_UNLABELLED = 2**32 - 1
_HELD_OUT = 2**32 - 2


class ShuffledStream:
  """Endless walks over a list of rows, each walk in a fresh order.

  Position p lies in walk p // n at place p % n: every row appears once per
  walk. The order of a walk depends on (seed, stream, walk) alone.
  """

  def __init__(self, rows: np.ndarray, seed: int, stream: int) -> None:
    """`rows` is [n] int32, n > 0; `seed` and `stream` are below 2**32."""
    if not len(rows):
      raise ValueError('A stream needs at least one row.')
    self.rows = np.asarray(rows, np.int32)
    self._key = (seed, stream)
    self._orders: dict[int, np.ndarray] = {}

  def take(self, positions: np.ndarray) -> np.ndarray:
    """Returns the rows at `positions` ([m] int64 -> [m] int32)."""
    walk, place = np.divmod(positions, len(self.rows))
    taken = np.empty(len(positions), np.int32)
    for w in np.unique(walk):
      here = walk == w
      taken[here] = self._order(int(w))[place[here]]
    return taken

  def _order(self, walk: int) -> np.ndarray:
    order = self._orders.get(walk)
    if order is None:
      seed, stream = self._key
      draws = np.random.RandomState([seed, stream, walk % 2**32, walk >> 32])
      order = draws.permutation(self.rows)
      # Threads share this: the dict is replaced, never changed, and a lost
      # update costs a repeated draw.
      recent = list(self._orders.items())[-3:]
      self._orders = dict([*recent, (walk, order)])
    return order


class BalancedStream:
  """Round robin over one stream per class: counts never differ by over 1."""

  def __init__(self, streams: Sequence[ShuffledStream]) -> None:
    self.streams = tuple(streams)

  def take(self, positions: np.ndarray) -> np.ndarray:
    """Returns the rows at `positions` ([m] int64 -> [m] int32)."""
    turn, which = np.divmod(positions, len(self.streams))
    taken = np.empty(len(positions), np.int32)
    for c in np.unique(which):
      here = which == c
      taken[here] = self.streams[c].take(turn[here])
    return taken


class AlternatingStream:
  """Even positions from `first`, odd ones from `second`."""

  def __init__(
    self,
    first: ShuffledStream | BalancedStream,
    second: ShuffledStream | BalancedStream,
  ) -> None:
    self.first, self.second = first, second

  def take(self, positions: np.ndarray) -> np.ndarray:
    """Returns the rows at `positions` ([m] int64 -> [m] int32)."""
    turn, odd = np.divmod(positions, 2)
    taken = np.empty(len(positions), np.int32)
    taken[odd == 0] = self.first.take(turn[odd == 0])
    taken[odd == 1] = self.second.take(turn[odd == 1])
    return taken


Stream = ShuffledStream | BalancedStream | AlternatingStream


def rows_by_class(
  label: np.ndarray, among: np.ndarray
) -> dict[int, np.ndarray]:
  """Returns {class id: its rows in file order}, of the rows `among` marks.

  `label` is [n] int, `among` is [n] bool; rows of unknown label (-1) are left
  out.
  """
  classes = np.unique(label[among & (label >= 0)])
  return {int(c): np.flatnonzero(among & (label == c)) for c in classes}


def validation_rows(
  label: np.ndarray, tag: np.ndarray, share: float, seed: int
) -> np.ndarray:
  """Returns the labelled rows kept from training, sorted ([v] int32).

  Of every labelled class of n rows: max(1, int(share * n)) rows drawn by
  `seed`, but never the last one; none when `share` is 0.
  """
  if not 0 <= share < 1:
    raise ValueError(f'share={share} is not in [0, 1).')
  held = [np.empty(0, np.int64)]
  if share:
    for c, rows in rows_by_class(label, tag == LABELLED).items():
      count = min(max(1, int(share * len(rows))), len(rows) - 1)
      draws = np.random.RandomState([seed, _HELD_OUT, c])
      held.append(draws.permutation(rows)[:count])
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
    given: [n] int32, the class a row is trained as, -1 where it has none.
    unlabelled: [n] bool, the rows that are drawn without a label.
    seed: below 2**32.
    supervision: 'open_world' (rows with a class, balanced, at even positions
      and unlabelled ones at odd), 'labelled' (the even half of that very
      stream) or 'all' (the same; every row is given its class).
    held_out: rows that never appear.
  """
  usable = given >= 0
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
  step: int, rows_per_batch: int, process_index: int, process_count: int
) -> np.ndarray:
  """Returns the stream positions of one process's rows of one global batch.

  Global batch `step` covers positions [step * B, (step + 1) * B); process i
  takes the i-th of `process_count` equal, contiguous parts ([b] int64), which
  is how a batch sharded over devices is laid out.
  """
  local, left = divmod(rows_per_batch, process_count)
  if left:
    raise ValueError(f'{rows_per_batch} rows over {process_count} processes.')
  start = step * rows_per_batch + process_index * local
  return np.arange(start, start + local, dtype=np.int64)
