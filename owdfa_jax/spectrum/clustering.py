"""k-means in which known classes keep clusters of their own, in NumPy.

`discovery.kmeans` and `discovery.ward` have the same for features on devices;
this one needs no jax. A test compares them.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from owdfa_jax.spectrum.whitening import row_chunks

# A surplus that finds better clusters than many starts without one.
SURPLUS = 4
_TINY = 1e-12
# Iterations before surplus clusters are merged.
_FEW_ITERATIONS = 10


@dataclasses.dataclass(frozen=True)
class ConstrainedClusters:
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


def constrained_kmeans(
  rows: np.ndarray,
  label: np.ndarray,
  num_clusters: int,
  seed: tuple[int, ...],
  *,
  num_restarts: int,
  num_iterations: int = 100,
  surplus: int = 1,
) -> ConstrainedClusters:
  """Clusters rows; a labelled row always belongs to the cluster of its class.

  The clusters of known classes start at the means of their labelled rows, the
  others by k-means++ among the unlabelled rows. From there k-means seldom
  finds the best clusters: it cannot move a centre from a source that has two
  to one that has none. With a surplus it can: there are more novel clusters at
  first, and those that are closest by Ward's criterion are merged.

  Args:
    rows: float32 [N, C].
    label: int [N], a known class, or -1 on an unlabelled row. Every class below
      the largest one has a row.
    num_clusters: K, of known and novel classes together.
    seed: whole numbers that draw the first centres of novel clusters.
    num_restarts: how many times to start anew; the result of least inertia is
      returned.
    num_iterations: the most iterations of one start.
    surplus: how many centres are drawn for each novel cluster; 1 draws no more
      than there are.

  References:
    Ward, "Hierarchical grouping to optimize an objective function", 1963.
  """
  num_known = int(label.max(initial=-1)) + 1
  empty = np.zeros((num_known, rows.shape[1]), np.float32)
  known = _means(rows, label, num_known, empty)
  best = None
  for restart in range(num_restarts):
    generator = np.random.default_rng((*seed, restart))
    most = num_known + surplus * (num_clusters - num_known)
    centres = _first_centres(rows, label, known, most, generator)
    if most > num_clusters:
      many = _iterate(rows, label, centres, _FEW_ITERATIONS)
      size = np.bincount(many.assigned[label < 0], minlength=most)
      centres = merge_nearest(many.centres, size, num_known, num_clusters)
    found = _iterate(rows, label, centres, num_iterations)
    if best is None or found.inertia < best.inertia:
      best = found
  assert best is not None
  return best


def merge_nearest(
  centres: np.ndarray, size: np.ndarray, num_known: int, num_clusters: int
) -> np.ndarray:
  """Merges novel clusters pair by pair until `num_clusters` are left.

  Merging clusters of n and m rows raises the inertia by n m / (n + m) times
  the squared distance of their centres; each time the pair is merged for which
  that is least. An empty cluster costs nothing.

  Args:
    centres: float32 [M, C]; those of known classes come first, and stay.
    size: int [M], the number of unlabelled rows of each cluster.
    num_known: the number of known classes.
    num_clusters: K, from `num_known` to M.

  Returns:
    float32 [K, C].
  """
  novel = centres[num_known:].astype(np.float64)
  weight = size[num_known:].astype(np.float64)

  def costs(n: int) -> np.ndarray:
    share = weight[n] * weight / np.maximum(weight[n] + weight, 1)
    cost = share * ((novel - novel[n]) ** 2).sum(1)
    cost[n] = np.inf
    return cost

  cost = np.reshape([costs(n) for n in range(len(novel))], [len(novel)] * 2)
  left = np.ones(len(novel), bool)
  for _ in range(len(centres) - num_clusters):
    one, other = map(int, np.unravel_index(cost.argmin(), cost.shape))
    total = weight[one] + weight[other]
    if total:
      novel[one] += (novel[other] - novel[one]) * weight[other] / total
    weight[one], left[other] = total, False
    cost[one] = cost[:, one] = np.where(left, costs(one), np.inf)
    cost[other] = cost[:, other] = np.inf
  merged = novel[left].astype(np.float32)
  return np.concatenate([centres[:num_known], merged])


def _iterate(
  rows: np.ndarray, label: np.ndarray, centres: np.ndarray, most: int
) -> ConstrainedClusters:
  assigned, distance = _assign(rows, label, centres)
  for _ in range(most):
    centres = _means(rows, assigned, len(centres), centres)
    before = assigned
    assigned, distance = _assign(rows, label, centres)
    if np.array_equal(before, assigned):
      break
  return ConstrainedClusters(centres, assigned, float(distance.sum()))


def _assign(
  rows: np.ndarray, label: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the cluster of each row, and its squared distance to the centre."""

  def of_chunk(part: np.ndarray, given: np.ndarray) -> np.ndarray:
    distance = squared_distances(part, centres)
    cluster = np.where(given >= 0, given, distance.argmin(1))
    own = np.take_along_axis(distance, cluster[:, None], 1)[:, 0]
    return np.stack([cluster, own.astype(np.float64)])

  cluster, distance = _in_chunks(of_chunk, rows, label)
  return cluster.astype(np.int64), distance


def _in_chunks(
  function: Callable[..., np.ndarray], *columns: np.ndarray
) -> np.ndarray:
  """Joins, along the last axis, the results for consecutive parts of rows."""
  parts = zip(*map(row_chunks, columns), strict=True)
  return np.concatenate([function(*part) for part in parts], axis=-1)


def _first_centres(
  rows: np.ndarray,
  label: np.ndarray,
  known: np.ndarray,
  num_clusters: int,
  generator: np.random.Generator,
) -> np.ndarray:
  """Appends centres drawn by k-means++ to those of the known classes."""
  centres = list(known)
  # Before the first centre, every row is as likely.
  nearest = np.ones(len(rows))
  if len(known):
    nearest = _in_chunks(
      lambda part: squared_distances(part, known).min(1).astype(np.float64),
      rows,
    )
  # A labelled row is never drawn, unless there are no others.
  weight = (label < 0) if (label < 0).any() else np.ones(len(rows))
  for _ in range(len(known), num_clusters):
    chance = weight * (nearest + _TINY)
    centre = rows[generator.choice(len(rows), p=chance / chance.sum())]
    centres.append(centre)
    to_centre = ((rows - centre) ** 2).sum(1, dtype=np.float64)
    nearest = np.minimum(nearest, to_centre) if len(centres) > 1 else to_centre
  return np.stack(centres)


def _means(
  rows: np.ndarray, assigned: np.ndarray, num_clusters: int, empty: np.ndarray
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
    shape=(num_clusters, len(rows)),
  )
  total = table @ rows
  mean = total / np.maximum(size, 1)[:, None]
  return np.where(size[:, None] > 0, mean, empty).astype(np.float32)
