"""k-means in which known classes keep clusters of their own, in NumPy.

`discovery.clusters`, `discovery.kmeans` and `discovery.ward` have the same for
features on devices, under the same names; this file needs no jax. A test
compares the two.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from owdfa_jax.spectrum.whitening import row_chunks

# An overclustering that finds better clusters than many starts without one.
OVERCLUSTERING = 4
_TINY = 1e-12
# Of the centres that are merged; these need not have converged.
_START_ITERATIONS = 10


@dataclasses.dataclass(frozen=True)
class Clusters:
  """The clusters of N rows.

  Attributes:
    centres: float32 [K, C]; those of known classes come first.
    assigned: int64 [N], the cluster of each row.
    inertia: the sum of squared distances of rows to the centres of their
      clusters.
  """

  centres: np.ndarray
  assigned: np.ndarray
  inertia: float


def unit_rows(rows: np.ndarray) -> np.ndarray:
  """Scales rows, float [N, C], to length 1; a row of zeros stays zero."""
  return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)


def squared_distances(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
  """Returns float32 [N, K] of rows, float32 [N, C], and centres [K, C]."""
  squares = (rows**2).sum(1, keepdims=True) + (centres**2).sum(1)
  # Rounding can make the distance of a row from itself negative.
  return np.maximum(squares - 2 * rows @ centres.T, 0)


def semi_supervised_kmeans(
  feature: np.ndarray,
  label: np.ndarray,
  *,
  num_known: int,
  num_clusters: int,
  seed: tuple[int, ...],
  num_restarts: int,
  num_iterations: int = 100,
  overclustering: int = 1,
) -> Clusters:
  """Clusters rows; a labelled row always belongs to the cluster of its class.

  The clusters of known classes start at the means of their labelled rows, the
  others by k-means++ among the unlabelled rows. From there k-means seldom
  finds the best clusters: it cannot move a centre from a source that has two
  to one that has none. With overclustering it can: there are more novel
  clusters at first, and those that are closest by Ward's criterion are merged.

  Args:
    feature: float32 [N, C].
    label: int [N], a known class, or -1 on an unlabelled row. Every known class
      has a labelled row.
    num_known: the number of known classes; their clusters are
      0 .. num_known - 1.
    num_clusters: K, the number of known and novel clusters.
    seed: whole numbers that draw the first centres of novel clusters.
    num_restarts: how many times to start anew. The clusters of lowest inertia
      are returned.
    num_iterations: the largest number of iterations of one start.
    overclustering: how many centres are drawn for each novel cluster. With 1
      none are merged.

  References:
    Ward, "Hierarchical grouping to optimize an objective function", 1963.
  """
  empty = np.zeros((num_known, feature.shape[1]), np.float32)
  known_centres = _means(feature, label, num_known, empty)
  num_novel = num_clusters - num_known
  num_first = num_known + overclustering * num_novel
  best = None
  for restart in range(num_restarts):
    generator = np.random.default_rng((*seed, restart))
    centres = _first_centres(
      feature, label, known_centres, num_first, generator
    )
    if num_first > num_clusters:
      many = _iterate(feature, label, centres, _START_ITERATIONS)
      size = np.bincount(many.assigned[label < 0], minlength=num_first)
      novel = merge_centres(
        many.centres[num_known:], size[num_known:], num_novel
      )
      centres = np.concatenate([many.centres[:num_known], novel])
    found = _iterate(feature, label, centres, num_iterations)
    if best is None or found.inertia < best.inertia:
      best = found
  assert best is not None
  return best


def merge_centres(
  centres: np.ndarray, size: np.ndarray, number: int
) -> np.ndarray:
  """Merges two centres after the other, until a given number is left.

  Merging clusters of n and m rows raises the inertia by n m / (n + m) times
  the squared distance of their centres; each time the pair is merged for which
  that is least. An empty cluster costs nothing.

  Args:
    centres: float32 [M, C].
    size: int [M], how many rows each has.
    number: how many to return, at most M.

  Returns:
    float32 [number, C].
  """
  centres = centres.astype(np.float64)
  size = size.astype(np.float64)

  def costs(one: int) -> np.ndarray:
    weight = size[one] * size / np.maximum(size[one] + size, 1)
    cost = weight * ((centres - centres[one]) ** 2).sum(1)
    cost[one] = np.inf
    return cost

  count = len(centres)
  cost = np.reshape([costs(one) for one in range(count)], [count, count])
  left = np.ones(count, bool)
  for _ in range(count - number):
    first, second = map(int, np.unravel_index(cost.argmin(), cost.shape))
    total = size[first] + size[second]
    if total:
      apart = centres[second] - centres[first]
      centres[first] += apart * size[second] / total
    size[first], left[second] = total, False
    cost[first] = cost[:, first] = np.where(left, costs(first), np.inf)
    cost[second] = cost[:, second] = np.inf
  return centres[left].astype(np.float32)


def _iterate(
  feature: np.ndarray,
  label: np.ndarray,
  centres: np.ndarray,
  num_iterations: int,
) -> Clusters:
  """Moves centres until no row changes its cluster."""
  assigned, distance = _assign(feature, label, centres)
  for _ in range(num_iterations):
    centres = _means(feature, assigned, len(centres), centres)
    before = assigned
    assigned, distance = _assign(feature, label, centres)
    if np.array_equal(before, assigned):
      break
  return Clusters(centres, assigned, float(distance.sum()))


def _assign(
  feature: np.ndarray, label: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the cluster of each row, and its squared distance to the centre."""

  def of_chunk(part: np.ndarray, given: np.ndarray) -> np.ndarray:
    distance = squared_distances(part, centres)
    cluster = np.where(given >= 0, given, distance.argmin(1))
    own = np.take_along_axis(distance, cluster[:, None], 1)[:, 0]
    return np.stack([cluster, own.astype(np.float64)])

  cluster, distance = _in_chunks(of_chunk, feature, label)
  return cluster.astype(np.int64), distance


def _in_chunks(
  function: Callable[..., np.ndarray], *columns: np.ndarray
) -> np.ndarray:
  """Joins, along the last axis, the results for consecutive parts of rows."""
  parts = zip(*map(row_chunks, columns), strict=True)
  return np.concatenate([function(*part) for part in parts], axis=-1)


def _first_centres(
  feature: np.ndarray,
  label: np.ndarray,
  known_centres: np.ndarray,
  num_clusters: int,
  generator: np.random.Generator,
) -> np.ndarray:
  """Appends centres drawn by k-means++ to those of the known classes."""
  centres = list(known_centres)
  # Before the first centre, every row is as likely.
  nearest = np.ones(len(feature))
  if len(known_centres):
    nearest = _in_chunks(
      lambda part: (
        squared_distances(part, known_centres).min(1).astype(np.float64)
      ),
      feature,
    )
  # A labelled row is never drawn, unless there are no others.
  weight = (label < 0) if (label < 0).any() else np.ones(len(feature))
  for _ in range(len(known_centres), num_clusters):
    chance = weight * (nearest + _TINY)
    centre = feature[generator.choice(len(feature), p=chance / chance.sum())]
    centres.append(centre)
    to_centre = ((feature - centre) ** 2).sum(1, dtype=np.float64)
    nearest = np.minimum(nearest, to_centre) if len(centres) > 1 else to_centre
  return np.stack(centres)


def _means(
  feature: np.ndarray,
  assigned: np.ndarray,
  num_clusters: int,
  empty: np.ndarray,
) -> np.ndarray:
  """Returns the mean [K, C] of each cluster's rows; rows of -1 are left out.

  A cluster without rows gets its row of `empty`.
  """
  # SciPy takes long to load, and only what clusters needs it.
  from scipy import sparse

  member = np.flatnonzero(assigned >= 0)
  size = np.bincount(assigned[member], minlength=num_clusters)
  table = sparse.csr_array(
    (np.ones(len(member), np.float32), (assigned[member], member)),
    shape=(num_clusters, len(feature)),
  )
  total = table @ feature
  mean = total / np.maximum(size, 1)[:, None]
  return np.where(size[:, None] > 0, mean, empty).astype(np.float32)
