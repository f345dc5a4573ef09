"""Clusters of features, of which the labelled rows hold the known ones.

Semi-supervised k-means (Vaze et al., Generalized category discovery, CVPR
2022): a labelled row always belongs to the cluster of its class, the others go
where they are nearest. Features tell novel sources apart better than a head
does that nobody taught them.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

# Distances decide by their small differences.
_EXACT = jax.lax.Precision.HIGHEST
_TINY = 1e-12


class Clusters(NamedTuple):
  """Where each of N rows belongs.

  Attributes:
    assigned: int32 [N], its cluster.
    margin: float32 [N] in [0, 1], 1 - the distance to the nearest centre over
      that to the next: 0 half-way between two. (A labelled row's own centre
      may be another one.)
    inertia: float32 [], the sum of the squared distances to the own centres.
  """

  assigned: jax.Array
  margin: jax.Array
  inertia: jax.Array


@functools.partial(jax.jit, static_argnums=(2, 3, 5, 6))
def semi_supervised_kmeans(
  feature: jax.Array,
  label: jax.Array,
  num_known: int,
  num_clusters: int,
  key: jax.Array,
  num_restarts: int = 10,
  num_iterations: int = 100,
) -> Clusters:
  """Clusters rows by the direction of their features.

  Args:
    feature: float32 [N, C]; only its direction counts.
    label: int32 [N], a known class, or -1 for a row without label. Every known
      class has a row.
    num_known: clusters 0 .. num_known - 1 are the known classes.
    num_clusters: those and the novel ones.
    key: draws the novel clusters' first centres (k-means++).
    num_restarts: how often; the clustering of lowest inertia is returned.
    num_iterations: at most, of assigning rows and moving centres.
  """
  feature = feature / (jnp.linalg.norm(feature, axis=1, keepdims=True) + _TINY)
  labelled = label >= 0
  known = _means(feature, label, num_known, jnp.zeros_like(feature[:num_known]))

  def once(key: jax.Array) -> Clusters:
    centres = _first_centres(feature, ~labelled, known, num_clusters, key)

    def move(loop: tuple[int, jax.Array, jax.Array]) -> tuple:
      count, _, centres = loop
      nearest = _squared_distances(feature, centres).argmin(1)
      assigned = jnp.where(labelled, label, nearest)
      moved = _means(feature, assigned, num_clusters, centres)
      return count + 1, centres, moved

    def moving(loop: tuple[int, jax.Array, jax.Array]) -> jax.Array:
      count, before, centres = loop
      return (count < num_iterations) & jnp.any(before != centres)

    start = 0, jnp.full_like(centres, jnp.inf), centres
    _, _, centres = jax.lax.while_loop(moving, move, start)
    return _assign(feature, label, centres)

  runs = jax.lax.map(once, jax.random.split(key, num_restarts))
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
  free: jax.Array,
  known: jax.Array,
  num_clusters: int,
  key: jax.Array,
) -> jax.Array:
  """The known classes' means; then one unlabelled row after another, the
  likelier the farther (squared) from all centres so far.
  """
  missing = num_clusters - len(known)
  # Centres not drawn yet lie beyond every row.
  far = jnp.full((missing, feature.shape[1]), 4.0)
  centres = jnp.concatenate([known, far])

  def draw(n: int, centres: jax.Array) -> jax.Array:
    distance = _squared_distances(feature, centres).min(1)
    weight = jnp.where(free, jnp.log(distance + _TINY), -jnp.inf)
    row = jax.random.categorical(jax.random.fold_in(key, n), weight)
    return centres.at[n].set(feature[row])

  return jax.lax.fori_loop(len(known), num_clusters, draw, centres)


def _means(
  feature: jax.Array, assigned: jax.Array, count: int, empty: jax.Array
) -> jax.Array:
  """The mean [count, C] of each cluster's rows; of none, its row of `empty`.

  Rows assigned to -1 belong nowhere.
  """
  member = jax.nn.one_hot(assigned, count)
  size = member.sum(0)[:, None]
  total = jnp.einsum('nk,nc->kc', member, feature, precision=_EXACT)
  return jnp.where(size > 0, total / jnp.maximum(size, 1), empty)


def _squared_distances(feature: jax.Array, centres: jax.Array) -> jax.Array:
  product = jnp.matmul(feature, centres.T, precision=_EXACT)
  squares = (feature**2).sum(1, keepdims=True) + (centres**2).sum(1)
  return jnp.maximum(squares - 2 * product, 0)


def match_outputs(
  assigned: np.ndarray,
  predicted: np.ndarray,
  num_known: int,
  outputs: np.ndarray,
) -> np.ndarray:
  """Names clusters by the outputs of a head, so that they agree on most rows.

  Args:
    assigned: int [N], each row's cluster.
    predicted: int [N], the output that the head prefers for it.
    num_known: the first clusters are the known classes: they keep their name.
    outputs: int [K], the outputs in use, ascending, the known ones first; as
      many as there are clusters.

  Returns:
    int32 [N], each row's cluster by its name.
  """
  count = len(outputs)
  overlap = np.zeros((count, outputs.max() + 1), np.int64)
  np.add.at(overlap, (assigned, predicted), 1)
  novel = overlap[num_known:][:, outputs[num_known:]]
  cluster, output = optimize.linear_sum_assignment(novel, maximize=True)
  name = outputs.astype(np.int32)
  name[num_known + cluster] = outputs[num_known + output]
  return name[assigned]
