"""Figures of weighted images, for many weightings at a time.

A draw of the bootstrap is a weight for each unit. Accuracies, NMI and ARI come
from weighted counts of the pairs (output, class) that occur, so that a draw
costs a sparse matrix product and not a pass over the images.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from owdfa_jax.evaluation.metrics import (
  NUM_BINS,
  best_matching,
  calibration_bins,
)

# [D] for each of D weightings.
Figures = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class MeasuredRows:
  """What figures are computed from, for N rows.

  Attributes:
    unit: int [N], the unit of each row; a weight belongs to a unit.
    true_label: int [N], -1 where the truth is unknown.
    predicted: int [N], an output.
    confidence: float [N].
    novel_probability: float [N], of all novel outputs together; None if it was
      not predicted.
    is_fake: bool [N]; None if the data has not both kinds.
    fake_probability: float [N], of not being real.
  """

  unit: np.ndarray
  true_label: np.ndarray
  predicted: np.ndarray
  confidence: np.ndarray
  novel_probability: np.ndarray | None = None
  is_fake: np.ndarray | None = None
  fake_probability: np.ndarray | None = None


def weighted_figures(
  rows: MeasuredRows, num_known: int, weight: np.ndarray
) -> Figures:
  """Returns the figures of each weighting under one matching of all rows.

  With equal weights they are those of `metrics.open_world_metrics`.

  Args:
    rows: the rows.
    num_known: the number of known classes.
    weight: float [D, U], of each unit.

  Returns:
    By name, [D] each; NaN where a weighting has no row that the figure is of.
    Figures that need a true class of every row are left out where one has none.
  """
  label = rows.true_label
  known = (label >= 0) & (label < num_known)
  figures: Figures = {}
  if known.any():
    pairs = _Pairs(rows, known, weight)
    figures['known_acc'] = pairs.share(pairs.output == pairs.label)
  if (label < 0).any():
    return figures
  figures |= _matched_figures(rows, known, weight)
  novel = rows.novel_probability
  if novel is not None and known.any() and not known.all():
    figures['known_novel_auroc'] = weighted_auroc(
      novel, ~known, weight, rows.unit
    )
  fake = rows.is_fake
  if fake is not None and fake.any() and not fake.all():
    assert rows.fake_probability is not None
    figures['real_fake_auc'] = weighted_auroc(
      rows.fake_probability, fake, weight, rows.unit
    )
  return figures


def _matched_figures(
  rows: MeasuredRows, known: np.ndarray, weight: np.ndarray
) -> Figures:
  """Returns the figures that need a matching, and those of clusterings."""
  figures: Figures = {}
  matched = best_matching(rows.true_label, rows.predicted)
  every = np.ones_like(known)
  for group, members in {'all': every, 'novel': ~known}.items():
    if not members.any():
      continue
    pairs = _Pairs(rows, members, weight)
    # The papers match the novel rows by themselves.
    own = best_matching(rows.true_label[members], rows.predicted[members])
    figures[f'{group}_acc'] = pairs.share(own[pairs.output] == pairs.label)
    figures |= {f'{group}_nmi': pairs.nmi(), f'{group}_ari': pairs.ari()}
    correct = matched[pairs.output] == pairs.label
    if group == 'novel':
      figures['new_acc'] = pairs.share(correct)
    else:
      figures['macro_acc'] = pairs.mean_by_class(correct)
  correct = matched[rows.predicted] == rows.true_label
  figures['expected_calibration_error'] = _calibration_error(
    rows, correct, weight
  )
  return figures


class _Pairs:
  """The weighted counts of the pairs (output, class) of some rows."""

  def __init__(
    self, rows: MeasuredRows, members: np.ndarray, weight: np.ndarray
  ):
    """Counts, for D weightings and P pairs.

    Args:
      rows: the rows.
      members: bool [N], the rows to count; at least one.
      weight: float [D, U], of each unit.
    """
    output, label = rows.predicted[members], rows.true_label[members]
    size = int(max(output.max(), label.max())) + 1
    flat = output.astype(np.int64) * size + label
    pair, number = np.unique(flat, return_inverse=True)
    self.output, self.label = np.divmod(pair, size)
    self._count = _sums(rows.unit[members], number, len(pair), weight)
    self._total = self._count.sum(1)

  def share(self, correct: np.ndarray) -> np.ndarray:
    """Returns the share [D] of rows whose pair is correct, bool [P]."""
    return _divide(self._count[:, correct].sum(1), self._total)

  def mean_by_class(self, correct: np.ndarray) -> np.ndarray:
    """Returns the mean over classes of that share, [D]."""
    size = self._marginal(self.label)
    right = self._marginal(self.label, correct)
    return np.nanmean(_divide(right, size), axis=1)

  def nmi(self) -> np.ndarray:
    """Returns the mutual information over the mean of the entropies, [D]."""
    outputs = self._entropy(self._marginal(self.output))
    labels = self._entropy(self._marginal(self.label))
    both = self._entropy(self._count)
    mean = (outputs + labels) / 2
    # As scikit-learn has it: one cluster of one class agrees fully.
    nmi = np.where(mean > 0, _divide(outputs + labels - both, mean), 1.0)
    return np.clip(nmi, 0, 1)

  def ari(self) -> np.ndarray:
    """Returns the adjusted Rand index, [D]."""
    together = _num_pairs(self._count)
    outputs = _num_pairs(self._marginal(self.output))
    labels = _num_pairs(self._marginal(self.label))
    by_chance = _divide(outputs * labels, self._total * (self._total - 1) / 2)
    most = (outputs + labels) / 2
    same = most == by_chance
    return np.where(same, 1.0, _divide(together - by_chance, most - by_chance))

  def _marginal(
    self, name: np.ndarray, chosen: np.ndarray | None = None
  ) -> np.ndarray:
    """Returns the counts by output or class, [D, number of names].

    Args:
      name: int [P], the output or the class of each pair.
      chosen: bool [P], the pairs to count; None counts all.
    """
    names, number = np.unique(name, return_inverse=True)
    weight = None if chosen is None else chosen.astype(np.float64)
    return _sums(np.arange(len(name)), number, len(names), self._count, weight)

  def _entropy(self, count: np.ndarray) -> np.ndarray:
    share = _divide(count, self._total[:, None])
    logarithm = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logarithm).sum(1)


def weighted_auroc(
  score: np.ndarray, positive: np.ndarray, weight: np.ndarray, unit: np.ndarray
) -> np.ndarray:
  """Returns the area under the ROC curve of each weighting, [D].

  It is the chance that a positive row has the higher score; equal scores count
  as half. NaN where a weighting has no positive or no negative row.

  Args:
    score: float [N], higher for positive.
    positive: bool [N].
    weight: float [D, U], of each unit.
    unit: int [N], the unit of each row.
  """
  value, rank = np.unique(score, return_inverse=True)
  found = []
  # One weighting after the other: no [D, N] in memory.
  for row_weight in _row_weights(weight, unit):
    up = np.bincount(rank, row_weight * positive, len(value))
    down = np.bincount(rank, row_weight * ~positive, len(value))
    below = np.cumsum(down) - down / 2
    found.append(_divide((up * below).sum(), up.sum() * down.sum()))
  return np.array(found)


def _row_weights(weight: np.ndarray, unit: np.ndarray) -> Iterator[np.ndarray]:
  for of_units in weight:
    yield of_units[unit]


def _calibration_error(
  rows: MeasuredRows, correct: np.ndarray, weight: np.ndarray
) -> np.ndarray:
  """Returns the expected calibration error of each weighting, [D]."""
  bins = calibration_bins(rows.confidence)
  gap = rows.confidence.astype(np.float64) - correct
  by_bin = _sums(rows.unit, bins, NUM_BINS, weight, gap)
  size = np.bincount(rows.unit, minlength=weight.shape[1])
  return _divide(np.abs(by_bin).sum(1), weight @ size)


def _sums(
  unit: np.ndarray,
  column: np.ndarray,
  num_columns: int,
  weight: np.ndarray,
  value: np.ndarray | None = None,
) -> np.ndarray:
  """Returns weighted sums of the rows' values by column, [D, num_columns].

  Args:
    unit: int [N], below U.
    column: int [N].
    num_columns: the number of columns.
    weight: float [D, U].
    value: float [N]; None for ones.
  """
  # Imported here because SciPy takes long to load, as `metrics` says.
  from scipy import sparse

  value = np.ones(len(unit)) if value is None else value
  table = sparse.csr_array(
    (value, (column.reshape(-1), unit)), (num_columns, weight.shape[1])
  )
  return np.asarray(table @ weight.T).T


def _num_pairs(count: np.ndarray) -> np.ndarray:
  """Returns the number of pairs of rows that lie together, [D]."""
  return (count * (count - 1) / 2).sum(1)


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
  """Returns quotients; NaN where the divisor is 0."""
  below = np.broadcast_to(below, np.shape(above))
  empty = np.full(np.shape(above), np.nan)
  return np.divide(above, below, out=empty, where=below != 0)
