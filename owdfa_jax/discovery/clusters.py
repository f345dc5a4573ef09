"""Clusters features so that known classes keep clusters of their own.

A head's novel outputs are trained without labels. Clusters of features need no
labels and separate novel sources better.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from owdfa_jax import vectors

# A row's cluster depends on small differences of large distances, which the
# default precision of accelerators would lose.
_EXACT = jax.lax.Precision.HIGHEST
_TINY = 1e-12


class Clusters(NamedTuple):
  """The clusters of N rows.

  Attributes:
    assigned: int32 [N], the cluster of each row.
    margin: float32 [N] in [0, 1], 1 - the distance to the nearest centre over
      the distance to the second nearest: 0 half-way between two centres, 1 on
      a centre. For a labelled row the nearest centre may belong to another
      cluster than `assigned`.
    inertia: float32 [], the sum of squared distances of the rows to the centres
      of their clusters.
  """

  assigned: jax.Array
  margin: jax.Array
  inertia: jax.Array


def semi_supervised_kmeans(
  feature: jax.typing.ArrayLike,
  label: np.ndarray,
  *,
  num_known: int,
  num_clusters: int,
  key: jax.Array,
  num_restarts: int = 10,
  num_iterations: int = 100,
) -> Clusters:
  """Clusters rows by the direction of their features.

  This is k-means on the unit sphere with one constraint: a labelled row always
  belongs to the cluster of its class. The clusters of known classes start at
  the means of their labelled rows, those of novel classes by k-means++ among
  the unlabelled rows.

  k-means prefers clusters of similar size and spread: a source with few images
  may be merged with another one while a large source is split. A wrong
  `num_clusters` also merges or splits sources.

  Each iteration costs O(N K C) operations and O(N K) memory, with K clusters of
  C-dimensional features. Restarts run one after the other, so they cost time
  but no memory.

  Args:
    feature: float32 [N, C]; the length of a row does not matter.
    label: int32 [N], a known class, or -1 for an unlabelled row. Every known
      class needs a labelled row.
    num_known: the number of known classes; their clusters are
      0 .. num_known - 1.
    num_clusters: K, the number of known and novel clusters.
    key: draws the first centres of the novel clusters.
    num_restarts: how many times to start anew. The clusters of lowest inertia
      are returned.
    num_iterations: the largest number of iterations of one start; it ends
      earlier if no centre moves.

  Raises:
    ValueError: a known class has no labelled row.

  References:
    Vaze et al., "Generalized category discovery", CVPR 2022.
    Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding",
    SODA 2007.
  """
  # Without a labelled row a known cluster would start at 0, and stay there.
  missing = np.setdiff1d(np.arange(num_known), label)
  if missing.size:
    raise ValueError(
      f'label must have a row of every known class, got none of class '
      f'{missing[0]}'
    )
  return _cluster(
    jnp.asarray(feature),
    jnp.asarray(label),
    key,
    num_known=num_known,
    num_clusters=num_clusters,
    num_restarts=num_restarts,
    num_iterations=num_iterations,
  )


@functools.partial(
  jax.jit,
  static_argnames=(
    'num_known',
    'num_clusters',
    'num_restarts',
    'num_iterations',
  ),
)
def _cluster(
  feature: jax.Array,
  label: jax.Array,
  key: jax.Array,
  *,
  num_known: int,
  num_clusters: int,
  num_restarts: int,
  num_iterations: int,
) -> Clusters:
  """Runs `semi_supervised_kmeans`, compiled."""
  feature = vectors.unit(feature)
  labelled = label >= 0
  known_centres = _means(
    feature, label, num_known, jnp.zeros_like(feature[:num_known])
  )

  def cluster_once(key: jax.Array) -> Clusters:
    first = _first_centres(feature, ~labelled, known_centres, num_clusters, key)

    def move(loop: tuple[int, jax.Array, jax.Array]) -> tuple:
      count, _, centres = loop
      nearest = _squared_distances(feature, centres).argmin(1)
      assigned = jnp.where(labelled, label, nearest)
      return (
        count + 1,
        centres,
        _means(feature, assigned, num_clusters, centres),
      )

    def is_moving(loop: tuple[int, jax.Array, jax.Array]) -> jax.Array:
      count, before, centres = loop
      return (count < num_iterations) & jnp.any(before != centres)

    start = 0, jnp.full_like(first, jnp.inf), first
    _, _, centres = jax.lax.while_loop(is_moving, move, start)
    return _assign(feature, label, centres)

  # `map` rather than `vmap`: one start's distances in memory at a time, and a
  # start that has converged stops.
  runs = jax.lax.map(cluster_once, jax.random.split(key, num_restarts))
  return jax.tree.map(lambda x: x[runs.inertia.argmin()], runs)


def _assign(
  feature: jax.Array, label: jax.Array, centres: jax.Array
) -> Clusters:
  squared = _squared_distances(feature, centres)
  assigned = jnp.where(label >= 0, label, squared.argmin(1)).astype(jnp.int32)
  own = jnp.take_along_axis(squared, assigned[:, None], 1)[:, 0]
  nearest = jnp.sqrt(jnp.sort(squared, axis=1)[:, :2])
  margin = 1 - nearest[:, 0] / jnp.maximum(nearest[:, 1], _TINY)
  return Clusters(assigned, margin, own.sum())


def _first_centres(
  feature: jax.Array,
  unlabelled: jax.Array,
  known_centres: jax.Array,
  num_clusters: int,
  key: jax.Array,
) -> jax.Array:
  """Appends centres drawn by k-means++ to those of the known classes.

  Each new centre is an unlabelled row, drawn with a probability in proportion
  to its squared distance from the nearest centre so far.
  """
  num_known = len(known_centres)
  # Put centres that are not drawn yet at distance > 2 from every row, so that
  # none is the nearest.
  far = jnp.full((num_clusters - num_known, feature.shape[1]), 4.0)
  centres = jnp.concatenate([known_centres, far])

  def draw(n: int, centres: jax.Array) -> jax.Array:
    distance = _squared_distances(feature, centres).min(1)
    weight = jnp.where(unlabelled, jnp.log(distance + _TINY), -jnp.inf)
    row = jax.random.categorical(jax.random.fold_in(key, n), weight)
    return centres.at[n].set(feature[row])

  return jax.lax.fori_loop(num_known, num_clusters, draw, centres)


def _means(
  feature: jax.Array, assigned: jax.Array, num_clusters: int, empty: jax.Array
) -> jax.Array:
  """Returns the mean [K, C] of each cluster's rows.

  A cluster without rows gets its row of `empty`. Rows assigned to -1 belong to
  no cluster.
  """
  member = jax.nn.one_hot(assigned, num_clusters)
  size = member.sum(0)[:, None]
  total = jnp.einsum('nk,nc->kc', member, feature, precision=_EXACT)
  return jnp.where(size > 0, total / jnp.maximum(size, 1), empty)


def _squared_distances(feature: jax.Array, centres: jax.Array) -> jax.Array:
  """Returns squared distances [N, K] between rows and centres."""
  product = jnp.matmul(feature, centres.T, precision=_EXACT)
  squares = (feature**2).sum(1, keepdims=True) + (centres**2).sum(1)
  # Rounding can make the distance of a row from itself negative.
  return jnp.maximum(squares - 2 * product, 0)


def match_outputs(
  assigned: np.ndarray,
  predicted: np.ndarray,
  num_known: int,
  outputs: np.ndarray,
) -> np.ndarray:
  """Renames clusters as outputs of a head, so that both agree on most rows.

  Without this the next round would teach each output the images of another
  source than the one it stands for.

  Args:
    assigned: int [N], the cluster of each row.
    predicted: int [N], the head's most probable output for each row.
    num_known: the number of known classes, whose clusters keep their names.
    outputs: int [K], the outputs in use, ascending and as many as there are
      clusters; the known classes come first.

  Returns:
    int32 [N], the output that each row's cluster is renamed as.
  """
  # Imported here because SciPy takes long to load, and only runs in stages
  # come here.
  from scipy import optimize

  overlap = np.zeros((len(outputs), outputs.max() + 1), np.int64)
  np.add.at(overlap, (assigned, predicted), 1)
  novel = overlap[num_known:][:, outputs[num_known:]]
  cluster, output = optimize.linear_sum_assignment(novel, maximize=True)
  output_of_cluster = outputs.astype(np.int32)
  output_of_cluster[num_known + cluster] = outputs[num_known + output]
  return output_of_cluster[assigned]
