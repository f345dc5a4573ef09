"""Clusters rows while some known classes are hidden, and measures the result.

Hidden classes show what clusters do to sources that are not known.
"""

import dataclasses

import numpy as np

from owdfa_jax.spectrum.kmeans import (
  OVERCLUSTERING,
  semi_supervised_kmeans,
  squared_distances,
  unit_rows,
)
from owdfa_jax.spectrum.whitening import within_class_whitening

# As in the spectrum's clusters, where it is the usual value.
_SHRINKAGE = 0.1
_RESTARTS, _ITERATIONS = 1, 30


@dataclasses.dataclass(frozen=True)
class HiddenTrial:
  """What a clustering does to classes whose labels it does not see.

  The labels of hidden classes are not used at all, those of the other classes,
  which are kept, on half of their rows; the other half is called held out.

  Attributes:
    together: float [c], the chance that two rows of a hidden class are in one
      cluster; nan for a kept class.
    per_row: float [c], the same, each cluster divided by its number of rows;
      nan for a kept class.
    pinned: float [c], the rows whose label is used; nan for a hidden class.
    others: float [c], the other rows in the cluster of a kept class; nan for a
      hidden class.
    held_margin: float [H], see `_margins`, of held-out rows; -1 if the row is
      nearest to another centre than that of its class.
    hidden_margin: float, of the rows of hidden classes.
    unlabelled_margin: float, of all rows without a label.
    agreement: of clusters with the hidden classes, the adjusted mutual
      information: 1 for the same partition, 0 for chance.
  """

  together: np.ndarray
  per_row: np.ndarray
  pinned: np.ndarray
  others: np.ndarray
  held_margin: np.ndarray
  hidden_margin: np.ndarray
  unlabelled_margin: np.ndarray
  agreement: float


def try_numbers(
  components: np.ndarray,
  label: np.ndarray,
  hidden: np.ndarray,
  numbers: np.ndarray,
  seed: tuple[int, ...],
) -> list[HiddenTrial]:
  """Clusters all rows, once for each number of clusters.

  Args:
    components: float32 [N, C], whitened components.
    label: int [N], a known class, or -1 on an unlabelled row. Every class below
      the largest one has a row.
    hidden: int, the classes to hide; others are left.
    numbers: int [M], of clusters.
    seed: whole numbers that draw the rows to hold out and the first centres.
  """
  num_classes = int(label.max()) + 1
  kept = np.setdiff1d(np.arange(num_classes), hidden)
  given = np.full(len(label), -1)
  generator = np.random.default_rng(seed)
  for number, one in enumerate(kept):
    rows = generator.permutation(np.flatnonzero(label == one))
    given[rows[len(rows) // 2 :]] = number
  rows = unit_rows(
    components @ within_class_whitening(components, given, _SHRINKAGE)
  )
  return [
    _try_number(rows, label, given, kept, int(number), seed)
    for number in numbers
  ]


def _try_number(
  rows: np.ndarray,
  label: np.ndarray,
  given: np.ndarray,
  kept: np.ndarray,
  number: int,
  seed: tuple[int, ...],
) -> HiddenTrial:
  """Returns one trial; `given` numbers the kept classes from 0 on."""
  # scikit-learn takes a second to load.
  from sklearn.metrics import adjusted_mutual_info_score

  found = semi_supervised_kmeans(
    rows,
    given,
    num_known=len(kept),
    num_clusters=number,
    seed=seed,
    num_restarts=_RESTARTS,
    num_iterations=_ITERATIONS,
    overclustering=OVERCLUSTERING,
  )
  size = np.bincount(found.assigned, minlength=number)
  together, per_row, pinned, others = np.full((4, label.max() + 1), np.nan)
  pinned[kept] = np.bincount(given[given >= 0], minlength=len(kept))
  others[kept] = size[: len(kept)] - pinned[kept]
  for one in np.setdiff1d(np.arange(label.max() + 1), kept):
    chance = _pairs(np.bincount(found.assigned[label == one], minlength=number))
    together[one] = chance.sum()
    per_row[one] = (chance / np.maximum(size, 1)).sum()

  nearest, margin = _margins(rows, found.centres, len(kept))
  is_hidden = (label >= 0) & ~np.isin(label, kept)
  held = (label >= 0) & ~is_hidden & (given < 0)
  is_own = nearest[held] == np.searchsorted(kept, label[held])
  return HiddenTrial(
    together=together,
    per_row=per_row,
    pinned=pinned,
    others=others,
    held_margin=np.where(is_own, margin[held], -1),
    hidden_margin=margin[is_hidden],
    unlabelled_margin=margin[label < 0],
    agreement=float(
      adjusted_mutual_info_score(label[is_hidden], found.assigned[is_hidden])
    ),
  )


def _pairs(count: np.ndarray) -> np.ndarray:
  """Returns, for each cluster, the chance that two rows are both in it."""
  total = count.sum()
  if total < 2:
    return count.astype(float)
  return count * (count - 1.0) / (total * (total - 1))


def _margins(
  rows: np.ndarray, centres: np.ndarray, num_kept: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the nearest centre of each row, and how clearly it is nearest.

  The margin is the distance to the second centre less that to the nearest, or
  -1 where the nearest is not that of a kept class.
  """
  distance = np.sqrt(squared_distances(rows, centres))
  nearest = distance.argmin(1)
  first, second = np.partition(distance, 1, axis=1)[:, :2].T
  return nearest, np.where(nearest < num_kept, second - first, -1)
