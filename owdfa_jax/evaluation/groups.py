"""One verdict for each group of rows: the tiles of an image, or a video.

The log-probabilities of a group's rows are added up. Bayes' rule gives the same
sum, up to a constant, for rows that are independent given their source and for
sources that are equally likely. Tiles of one image are not quite independent,
so the probability of a verdict is too certain; its order of sources is not
affected.
"""

from typing import Any

import numpy as np

from owdfa_jax.evaluation.shared_names import add_up


class VerdictSums:
  """Adds up log-probabilities by group, in float64, from rows in any order.

  Only the sums are kept, [G, K], never the log-probabilities of all rows.
  """

  def __init__(self, group: np.ndarray) -> None:
    """Starts with no rows.

    Args:
      group: int [N], the number of the group of each row of a split, below N.
    """
    self._group = group
    self._sums = np.zeros((0, 0))
    self._first = np.zeros(0, np.int32)

  def add(self, row: np.ndarray, log_probability: np.ndarray) -> None:
    """Adds rows to the sums of their groups.

    Args:
      row: int [b], rows of the split.
      log_probability: float32 [b, K].
    """
    if not self._sums.size:
      groups = int(self._group.max()) + 1
      self._sums = np.zeros((groups, log_probability.shape[1]))
      self._first = np.full(groups, np.iinfo(np.int32).max, np.int32)
    # By runs of equal groups: `np.add.at` takes seven times as long.
    order = np.argsort(self._group[row], kind='stable')
    found, start = np.unique(self._group[row][order], return_index=True)
    if len(found):
      in_order = log_probability[order]
      self._sums[found] += np.add.reduceat(in_order, start, 0, np.float64)
    np.minimum.at(self._first, self._group[row], row.astype(np.int32))

  def columns(
    self,
    real: list[int],
    num_known: int,
    first_output: np.ndarray | None = None,
    temperature: float | None = None,
  ) -> dict[str, Any]:
    """Returns the verdicts of the groups that rows were added to.

    Args:
      real: the known classes of real images.
      num_known: the number of known classes, whose outputs come first.
      first_output: int [K], the first output of the same name; None where no
        two outputs share a name.
      temperature: of the column `calibrated`; None for no such column.

    Returns:
      The columns of `predictions.Predictions`, [G] each, sorted by `row`, which
      is the first row of the group that was added.
    """
    row, probability = self.probability()
    columns = {
      'row': row,
      'predicted': probability.argmax(1).astype(np.int32),
      'confidence': probability.max(1).astype(np.float32),
      'fake_probability': (1 - probability[:, real].sum(1)).astype(np.float32),
      'novel_probability': probability[:, num_known:].sum(1).astype(np.float32),
    }
    if first_output is not None:
      total = add_up(probability, first_output)
      columns['source'] = total.argmax(1).astype(np.int32)
      columns['source_confidence'] = total.max(1).astype(np.float32)
    if temperature is not None:
      _, tempered = self.probability(temperature)
      columns['calibrated'] = tempered.max(1).astype(np.float32)
      if first_output is not None:
        total = add_up(tempered, first_output)
        columns['source_calibrated'] = total.max(1).astype(np.float32)
    return columns

  def probability(
    self, temperature: float | np.ndarray = 1
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probability of each source for the groups with rows.

    Args:
      temperature: divides the sums; one number, or one for each group, [G].

    Returns:
      int32 [G], the first row of each group that was added, ascending; and
      float64 [G, K].
    """
    used = np.flatnonzero(self._first < np.iinfo(np.int32).max)
    used = used[np.argsort(self._first[used], kind='stable')]
    of_group = np.broadcast_to(temperature, len(self._sums))[used]
    probability = self._sums[used] / of_group[:, None]
    # Relative to the largest, so that it does not vanish.
    probability -= probability.max(1, keepdims=True)
    np.exp(probability, out=probability)
    probability /= probability.sum(1, keepdims=True)
    return self._first[used], probability
