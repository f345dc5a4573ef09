"""Figures of weighted images, for many weightings at a time.

A draw of the bootstrap is a weight for each unit. Accuracies, NMI and ARI come
from weighted counts of the pairs (output, class) that occur, so that a draw
costs a sparse matrix product and not a pass over the images.
"""

import dataclasses

import numpy as np

from owdfa_jax.evaluation.metrics import (
  NUM_BINS,
  best_matching,
  calibration_bins,
)
from owdfa_jax.evaluation.weighted_auroc import WeightedAuroc, divide

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


class WeightedFigures:
  """Computes the figures of weightings under one matching of all rows.

  What all weightings share is computed once, when it is made. With equal
  weights the figures are those of `metrics.open_world_metrics`.
  """

  def __init__(self, rows: MeasuredRows, num_known: int, num_units: int):
    """Matches outputs to classes, and sorts the rows.

    Args:
      rows: N rows.
      num_known: the number of known classes.
      num_units: U; every unit of a row is below it.
    """
    label = rows.true_label
    known = (label >= 0) & (label < num_known)
    self._known = _Pairs(rows, known, num_units) if known.any() else None
    self._groups: dict[str, _Group] = {}
    self._aurocs: dict[str, WeightedAuroc] = {}
    self._calibration: _CalibrationError | None = None
    if (label < 0).any():
      return
    matched = best_matching(label, rows.predicted)
    self._groups['all'] = _Group(rows, np.ones_like(known), num_units, matched)
    if not known.all():
      self._groups['novel'] = _Group(rows, ~known, num_units, matched)
    correct = matched[rows.predicted] == label
    self._calibration = _CalibrationError(rows, correct, num_units)
    novel = rows.novel_probability
    if novel is not None and known.any() and not known.all():
      self._aurocs['known_novel_auroc'] = WeightedAuroc(
        novel, ~known, rows.unit
      )
    fake = rows.is_fake
    if fake is not None and fake.any() and not fake.all():
      assert rows.fake_probability is not None
      score = rows.fake_probability
      self._aurocs['real_fake_auc'] = WeightedAuroc(score, fake, rows.unit)

  def of(self, weight: np.ndarray) -> Figures:
    """Returns the figures of each weighting.

    Args:
      weight: float [D, U], of each unit.

    Returns:
      By name, [D] each; NaN where a weighting has no row that the figure is of.
      Figures that need a true class of every row are left out where one has
      none.
    """
    by_unit = np.ascontiguousarray(weight.T)
    figures: Figures = {}
    if self._known is not None:
      counts = self._known.count(by_unit)
      figures['known_acc'] = counts.share(self._known.same_name)
    for name, group in self._groups.items():
      counts = group.pairs.count(by_unit)
      figures[f'{name}_acc'] = counts.share(group.own)
      figures |= {f'{name}_nmi': counts.nmi(), f'{name}_ari': counts.ari()}
      if name == 'novel':
        figures['new_acc'] = counts.share(group.correct)
      else:
        figures['macro_acc'] = counts.mean_by_class(group.right)
    if self._calibration is not None:
      error = self._calibration.of(weight, by_unit)
      figures['expected_calibration_error'] = error
    return figures | {k: auroc.of(weight) for k, auroc in self._aurocs.items()}


class _Group:
  """The rows of known or novel classes or all, and which pairs are correct.

  Attributes:
    pairs: their pairs (output, class), P of them.
    own: bool [P], whether a pair is correct if these rows alone are matched,
      as the papers do with the novel ones.
    correct: bool [P], the same under the matching of all rows.
    right: sums of the correct pairs by class.
  """

  def __init__(
    self,
    rows: MeasuredRows,
    members: np.ndarray,
    num_units: int,
    matched: np.ndarray,
  ):
    """Counts nothing yet.

    Args:
      rows: the rows.
      members: bool [N], those of the group; at least one.
      num_units: U.
      matched: int [S], the class of each output.
    """
    self.pairs = _Pairs(rows, members, num_units)
    output, label = self.pairs.output, self.pairs.label
    own = best_matching(rows.true_label[members], rows.predicted[members])
    self.own, self.correct = own[output] == label, matched[output] == label
    self.right = _by_name(label, self.correct)


class _Pairs:
  """The pairs (output, class) of some rows."""

  def __init__(self, rows: MeasuredRows, members: np.ndarray, num_units: int):
    """Finds the P pairs.

    Args:
      rows: the rows.
      members: bool [N], the rows to count; at least one.
      num_units: U.
    """
    output, label = rows.predicted[members], rows.true_label[members]
    size = int(max(output.max(), label.max())) + 1
    flat = output.astype(np.int64) * size + label
    pair, number = np.unique(flat, return_inverse=True)
    self.output, self.label = np.divmod(pair, size)
    self.same_name = self.output == self.label
    self._sums = _Sums(rows.unit[members], number, len(pair), num_units)
    self._by_output = _by_name(self.output)
    self._by_label = _by_name(self.label)

  def count(self, by_unit: np.ndarray) -> '_Counts':
    """Returns the counts of each weighting.

    Args:
      by_unit: float [U, D], weights.
    """
    count = self._sums.of(by_unit)
    outputs, labels = self._by_output.of(count.T), self._by_label.of(count.T)
    return _Counts(count, outputs, labels)


class _Counts:
  """Weighted counts of pairs, and their figures."""

  def __init__(
    self, count: np.ndarray, outputs: np.ndarray, labels: np.ndarray
  ):
    """Takes the counts.

    Args:
      count: float [D, P], of each pair.
      outputs: float [D, number of outputs], of each output.
      labels: float [D, number of classes], of each class.
    """
    self._count, self._outputs, self._labels = count, outputs, labels
    self._total = count.sum(1)

  def share(self, correct: np.ndarray) -> np.ndarray:
    """Returns the share [D] of rows whose pair is correct, bool [P]."""
    return divide(self._count[:, correct].sum(1), self._total)

  def mean_by_class(self, right: '_Sums') -> np.ndarray:
    """Returns the mean over classes of the share of correct pairs, [D].

    Args:
      right: sums of the correct pairs by class.
    """
    share = divide(right.of(self._count.T), self._labels)
    return np.nanmean(share, axis=1)

  def nmi(self) -> np.ndarray:
    """Returns the mutual information over the mean of the entropies, [D]."""
    outputs, labels = map(self._entropy, (self._outputs, self._labels))
    both = self._entropy(self._count)
    mean = (outputs + labels) / 2
    # As scikit-learn has it: one cluster of one class agrees fully.
    nmi = np.where(mean > 0, divide(outputs + labels - both, mean), 1.0)
    return np.clip(nmi, 0, 1)

  def ari(self) -> np.ndarray:
    """Returns the adjusted Rand index, [D]."""
    together = _num_pairs(self._count)
    outputs, labels = map(_num_pairs, (self._outputs, self._labels))
    by_chance = divide(outputs * labels, self._total * (self._total - 1) / 2)
    most = (outputs + labels) / 2
    same = most == by_chance
    return np.where(same, 1.0, divide(together - by_chance, most - by_chance))

  def _entropy(self, count: np.ndarray) -> np.ndarray:
    share = divide(count, self._total[:, None])
    logarithm = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logarithm).sum(1)


class _CalibrationError:
  """The expected calibration error of weightings."""

  def __init__(self, rows: MeasuredRows, correct: np.ndarray, num_units: int):
    """Sorts the rows into bins.

    Args:
      rows: the rows.
      correct: bool [N].
      num_units: U.
    """
    bins = calibration_bins(rows.confidence)
    gap = rows.confidence.astype(np.float64) - correct
    self._gaps = _Sums(rows.unit, bins, NUM_BINS, num_units, gap)
    self._size = np.bincount(rows.unit, minlength=num_units)

  def of(self, weight: np.ndarray, by_unit: np.ndarray) -> np.ndarray:
    """Returns the error of each weighting, [D].

    Args:
      weight: float [D, U], of each unit.
      by_unit: the same as [U, D].
    """
    gaps = self._gaps.of(by_unit)
    return divide(np.abs(gaps).sum(1), weight @ self._size)


class _Sums:
  """Weighted sums of values by column."""

  def __init__(
    self,
    unit: np.ndarray,
    column: np.ndarray,
    num_columns: int,
    num_units: int,
    value: np.ndarray | None = None,
  ):
    """Makes a sparse matrix from weights to sums.

    Args:
      unit: int [N], which weight is that of each row.
      column: int [N], where each row is added.
      num_columns: the number of columns.
      num_units: the number of weights.
      value: float [N], what is weighted; None for ones.
    """
    # Imported here because SciPy takes long to load, as `metrics` says.
    from scipy import sparse

    value = np.ones(len(unit)) if value is None else value
    shape = num_columns, num_units
    self._table = sparse.csr_array((value, (column.reshape(-1), unit)), shape)

  def of(self, by_unit: np.ndarray) -> np.ndarray:
    """Returns the sums of each weighting, [D, num_columns].

    Args:
      by_unit: float [num_units, D], weights.
    """
    return np.asarray(self._table @ by_unit).T


def _by_name(name: np.ndarray, chosen: np.ndarray | None = None) -> _Sums:
  """Returns the sums of pairs by output or class.

  Args:
    name: int [P], the output or the class of each pair.
    chosen: bool [P], the pairs to add; None adds all.
  """
  names, number = np.unique(name, return_inverse=True)
  value = None if chosen is None else chosen.astype(np.float64)
  return _Sums(np.arange(len(name)), number, len(names), len(name), value)


def _num_pairs(count: np.ndarray) -> np.ndarray:
  """Returns the number of pairs of rows that lie together, [D]."""
  return (count * (count - 1) / 2).sum(1)
