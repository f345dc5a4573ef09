"""Estimates how many sources a set of images has, from their features.

Everything here is NumPy and imports no jax, so that the number is known before
a network is built.
"""

import dataclasses
import math

import numpy as np

from owdfa_jax.spectrum.clustering import constrained_kmeans, unit_rows
from owdfa_jax.spectrum.whitening import class_scatter

# When the number of clusters is that of sources, the rows of a hidden class
# spread over this many clusters (`clusters_per_class`), because clusters are
# not perfect. Chosen on training images of simulated Protocol 1, where the
# known and the novel sources and their number were drawn anew each time; see
# docs/results.md.
SPREAD_AT_TRUTH = 1.53
# The standard deviation of the logarithm of an estimate over the truth there.
RELATIVE_ERROR = 0.13
# An interval of this many standard deviations holds the truth 4 times in 5.
_DEVIATIONS = 1.28
# Below this agreement of clusters with hidden classes, the features hardly
# separate the known sources, and the number means little.
LEAST_AGREEMENT = 0.4
# How far the scatter within classes is moved towards a sphere, and the number
# of principal components.
_SHRINKAGE, _COMPONENTS = 0.3, 64
# Rows to cluster, draws of hidden classes, and numbers of clusters to try.
MOST_ROWS, _DRAWS, _NUMBERS = 2000, 8, 12
# The largest number of clusters, as a multiple of the known classes.
_MOST_PER_KNOWN = 5
_RESTARTS, _ITERATIONS = 2, 25


@dataclasses.dataclass(frozen=True)
class SourceEstimate:
  """An estimate of the number of sources, known and novel.

  Attributes:
    number: the estimate.
    low: the low end of an interval that should hold the truth 4 times in 5.
    high: the high end.
    curve: for each number of clusters that was tried, `clusters_per_class`,
      mean over draws. The estimate is where it passes `SPREAD_AT_TRUTH`.
    agreement: of the clusters with the hidden classes, the adjusted mutual
      information near the estimate: 1 for the same partition, 0 for chance.
  """

  number: int
  low: int
  high: int
  curve: dict[int, float]
  agreement: float

  @property
  def doubt(self) -> str | None:
    """Why the estimate is not reliable; None if nothing speaks against it."""
    most = max(self.curve)
    if self.number > most:
      return (
        f'{most} clusters, the most that were tried, divide the known sources '
        'too little'
      )
    if self.agreement < LEAST_AGREEMENT:
      return (
        'clusters agree with hidden known classes by '
        f'{self.agreement:.2f} only (1: wholly, 0: by chance)'
      )
    return None

  @property
  def is_reliable(self) -> bool:
    """Whether the features separate sources well enough for an estimate."""
    return self.doubt is None


def estimate_num_sources(
  features: np.ndarray, label: np.ndarray, seed: int = 0
) -> SourceEstimate:
  """Estimates the number of sources from how finely known ones are divided.

  Half of the known classes are hidden: their labelled rows count as unlabelled.
  All rows are clustered, for several numbers of clusters K. The larger K, the
  more clusters the rows of a hidden class fall into. Known and novel sources
  should be divided alike, so K is right where hidden classes are divided as
  finely as they were for the right K on other data.

  Sources with far fewer rows than the known classes are not counted. If novel
  sources are much more, or much less, alike than known ones, the estimate is
  too low or too high.

  Args:
    features: float32 [N, D].
    label: int [N], a known class, or -1 on an unlabelled row. Two classes at
      least have rows.
    seed: draws the rows, the classes to hide, and the first centres.

  Raises:
    ValueError: fewer than two classes have labelled rows.
  """
  classes, label = _number_classes(label)
  if classes < 2:
    raise ValueError(f'label must have rows of two classes, got {classes}')
  generator = np.random.default_rng(seed)
  rows = choose_rows(label, MOST_ROWS, generator)
  components, label = _principal_components(features[rows]), label[rows]
  most = min(_MOST_PER_KNOWN * classes, len(rows))
  numbers = np.unique(
    np.geomspace(classes, max(most, classes + 1), _NUMBERS).round().astype(int)
  )
  spread, agreement = [], []
  for draw in range(_DRAWS):
    hidden = generator.permutation(classes)[: classes // 2]
    one_draw = _try_numbers(components, label, hidden, numbers, (seed, draw))
    spread.append([each[0] for each in one_draw])
    agreement.append([each[1] for each in one_draw])
  low, number, high = _solve(numbers, np.array(spread), classes, generator)
  mean = np.mean(spread, 0)
  return SourceEstimate(
    number=number,
    low=low,
    high=high,
    curve={int(k): float(v) for k, v in zip(numbers, mean, strict=True)},
    agreement=float(np.interp(number, numbers, np.mean(agreement, 0))),
  )


def clusters_per_class(
  assigned: np.ndarray, is_hidden: np.ndarray, num_hidden: int
) -> float:
  """Returns over how many clusters a hidden class spreads.

  It is the perplexity, exp(-sum_k p_k log p_k), of the shares p_k of the hidden
  rows in the clusters, divided by the number of hidden classes: 1 if each class
  is one cluster, 2 if each is two of equal size.

  Args:
    assigned: int [N], the cluster of each row.
    is_hidden: bool [N], whether it belongs to a hidden class.
    num_hidden: the number of hidden classes.
  """
  count = np.bincount(assigned[is_hidden])
  share = count[count > 0] / count.sum()
  return float(np.exp(-(share * np.log(share)).sum()) / num_hidden)


def choose_rows(
  label: np.ndarray, most: int, generator: np.random.Generator
) -> np.ndarray:
  """Returns at most `most` rows, ascending; an eighth or more are labelled.

  At most half are labelled, unless there are too few of the others.

  Args:
    label: int [N], -1 on an unlabelled row.
    most: the number of rows to return if there are more.
    generator: draws them.
  """
  if len(label) <= most:
    return np.arange(len(label))
  labelled, others = np.flatnonzero(label >= 0), np.flatnonzero(label < 0)
  share = min(max(len(labelled) / len(label), 1 / 8), 1 / 2)
  wanted = min(len(labelled), max(round(share * most), most - len(others)))
  return np.sort(
    np.concatenate(
      [
        generator.permutation(labelled)[:wanted],
        generator.permutation(others)[: most - wanted],
      ]
    )
  )


def _number_classes(label: np.ndarray) -> tuple[int, np.ndarray]:
  """Returns the number of classes with rows, and the labels numbered anew."""
  present = np.unique(label[label >= 0])
  number = np.searchsorted(present, label)
  return len(present), np.where(label >= 0, number, -1)


def _principal_components(features: np.ndarray) -> np.ndarray:
  """Returns principal components, float32 [N, C], not whitened.

  The features are brought to a standard deviation of 1 first.
  """
  mean, deviation = features.mean(0), features.std(0)
  is_constant = deviation <= 1e-6 * (1 + np.abs(mean))
  scaled = (features - mean) / np.where(is_constant, np.inf, deviation)
  _, direction = np.linalg.eigh(scaled.T.astype(np.float64) @ scaled)
  return (scaled @ direction[:, ::-1][:, :_COMPONENTS]).astype(np.float32)


def _whiten(components: np.ndarray, label: np.ndarray) -> np.ndarray:
  """Whitens by the scatter of labelled rows around the mean of their class."""
  scatter = class_scatter(components, label)
  size = len(scatter)
  # A class of one row has no scatter.
  sphere = max(np.trace(scatter) / size, 1e-12)
  scatter = (1 - _SHRINKAGE) * scatter + _SHRINKAGE * sphere * np.eye(size)
  variance, direction = np.linalg.eigh(scatter)
  centred = components - components.mean(0)
  return (centred @ (direction / np.sqrt(variance))).astype(np.float32)


def _try_numbers(
  components: np.ndarray,
  label: np.ndarray,
  hidden: np.ndarray,
  numbers: np.ndarray,
  seed: tuple[int, ...],
) -> list[tuple[float, float]]:
  """Returns, for each number of clusters, the spread and the agreement."""
  # scikit-learn takes a second to load.
  from sklearn.metrics import adjusted_mutual_info_score

  is_hidden = np.isin(label, hidden)
  _, given = _number_classes(np.where(is_hidden, -1, label))
  rows = unit_rows(_whiten(components, given))
  results = []
  for number in numbers:
    found = constrained_kmeans(
      rows,
      given,
      int(number),
      seed,
      num_restarts=_RESTARTS,
      num_iterations=_ITERATIONS,
    )
    agreement = adjusted_mutual_info_score(
      label[is_hidden], found.assigned[is_hidden]
    )
    spread = clusters_per_class(found.assigned, is_hidden, len(hidden))
    results.append((spread, float(agreement)))
  return results


def _solve(
  numbers: np.ndarray,
  spread: np.ndarray,
  least: int,
  generator: np.random.Generator,
) -> tuple[int, int, int]:
  """Returns the low end, the estimate and the high end.

  A straight line is fitted to the spreads; it is at `SPREAD_AT_TRUTH` for the
  estimate.

  Args:
    numbers: int [M], of clusters.
    spread: float [draws, M].
    least: the number of known classes: there are no fewer sources.
    generator: draws the draws anew, for the error of their mean.
  """
  most = 2 * numbers[-1]

  def crossing(draws: np.ndarray) -> float:
    slope, start = np.polyfit(numbers, draws.mean(0), 1)
    if slope <= 0:
      return float(most)
    return float(np.clip((SPREAD_AT_TRUTH - start) / slope, least, most))

  number = crossing(spread)
  again = [
    math.log(crossing(spread[generator.integers(0, len(spread), len(spread))]))
    for _ in range(100)
  ]
  factor = math.exp(_DEVIATIONS * math.hypot(RELATIVE_ERROR, np.std(again)))
  low, high = math.floor(number / factor), math.ceil(number * factor)
  return max(least, low), max(least, round(number)), high
