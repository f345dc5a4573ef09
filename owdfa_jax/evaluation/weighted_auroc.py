"""The area under the ROC curve of weighted images, for many weightings."""

import numpy as np


class WeightedAuroc:
  """The area under the ROC curve of weightings.

  It is the chance that a positive row has the higher score; equal scores count
  as half.
  """

  def __init__(self, score: np.ndarray, positive: np.ndarray, unit: np.ndarray):
    """Sorts the rows.

    Args:
      score: float [N], higher for positive.
      positive: bool [N].
      unit: int [N], the unit of each row.
    """
    value, rank = np.unique(score, return_inverse=True)
    order = np.argsort(rank, kind='stable')
    self._unit = unit[order]
    self._positive = positive[order].astype(np.float64)
    # Where each score begins; None where none comes twice.
    self._starts = None
    if len(value) < len(score):
      self._starts = np.searchsorted(rank[order], np.arange(len(value)))

  def of(self, weight: np.ndarray) -> np.ndarray:
    """Returns the area of each weighting, [D]; NaN without either kind of row.

    Args:
      weight: float [D, U], of each unit.
    """
    # One weighting after the other: no [D, N] in memory.
    return np.array([self._area(of_units) for of_units in weight])

  def _area(self, of_units: np.ndarray) -> np.ndarray:
    every = of_units[self._unit]
    up = every * self._positive
    if self._starts is not None:
      every, up = (np.add.reduceat(x, self._starts) for x in (every, up))
    down = every - up
    below = np.cumsum(down) - down / 2
    return divide((up * below).sum(), up.sum() * down.sum())


def divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
  """Returns quotients; NaN where the divisor is 0."""
  below = np.broadcast_to(below, np.shape(above))
  empty = np.full(np.shape(above), np.nan)
  return np.divide(above, below, out=empty, where=below != 0)
