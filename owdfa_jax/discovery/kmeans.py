"""The compiled program of semi-supervised k-means; rows are split over devices.

Each device holds its rows and all centres. The devices add up sums over their
rows, [K, C] numbers a pass; no feature leaves its device. `clusters` has the
function for callers.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax import vectors
from owdfa_jax.discovery.ward import merge_centres
from owdfa_jax.discovery.whitening import PADDING, UNLABELLED
from owdfa_jax.parallel import Placement

# A row's cluster depends on small differences of large distances, which the
# default precision of accelerators would lose.
_EXACT = jax.lax.Precision.HIGHEST
_TINY = 1e-12
# The most distances that a device computes at a time: 64 MiB of float32.
MOST_DISTANCES = 2**24
# Of the centres that are merged; these need not have converged.
_START_ITERATIONS = 5
# More than any squared distance between unit vectors.
_FAR = 16.0


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
    centres: float32 [K, C], each the mean of its rows' unit vectors.
  """

  assigned: jax.Array
  margin: jax.Array
  inertia: jax.Array
  centres: jax.Array


@functools.partial(
  jax.jit,
  static_argnames=(
    'placement',
    'num_known',
    'num_clusters',
    'num_restarts',
    'num_iterations',
    'overclustering',
    'most_distances',
  ),
)
def cluster(
  feature: jax.Array,
  label: jax.Array,
  key: jax.Array,
  *,
  placement: Placement,
  num_known: int,
  num_clusters: int,
  num_restarts: int,
  num_iterations: int,
  overclustering: int,
  most_distances: int = MOST_DISTANCES,
) -> Clusters:
  """Runs `clusters.semi_supervised_kmeans` on rows that are on the devices.

  Args:
    feature: float32 [P, C], split by rows over the devices.
    label: int32 [P], split likewise: a known class, `UNLABELLED` or `PADDING`.
    key: draws the first centres of the novel clusters.
    placement: the devices.
    num_known: the number of known classes.
    num_clusters: K, the number of known and novel clusters.
    num_restarts: how many times to start anew.
    num_iterations: the largest number of iterations of one start.
    overclustering: how many centres are drawn for each novel cluster.
    most_distances: the most distances that a device computes at a time.
  """
  feature = vectors.unit(feature)
  num_novel = num_clusters - num_known
  rows = len(feature) // placement.mesh.size
  most = max(1, most_distances // (num_known + overclustering * num_novel))
  # Equal chunks. The last of them begins earlier than where the one before it
  # ends, and rows in both cost twice.
  chunk = -(-rows // -(-rows // most))
  centres_of = _on_devices(placement, _means, chunk)
  assign = _on_devices(placement, _assign, chunk)

  # Only labelled rows belong to a cluster here.
  labelled = jnp.where(label >= 0, label, PADDING)
  known_centres = jnp.zeros((num_known, feature.shape[1]))
  if num_known:
    known_centres = centres_of(feature, labelled, known_centres)[0]

  iterate = functools.partial(
    _iterate, functools.partial(centres_of, feature, label)
  )

  def cluster_once(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    first = _first_centres(
      feature, label, known_centres, num_known + overclustering * num_novel, key
    )
    if overclustering > 1 and num_novel:
      first, size = iterate(first, _START_ITERATIONS)
      novel = merge_centres(first[num_known:], size[num_known:], num_novel)
      first = jnp.concatenate([first[:num_known], novel])
    centres, _ = iterate(first, num_iterations)
    return centres, assign(feature, label, centres).inertia

  # `map` rather than `vmap`: one start's distances in memory at a time, and a
  # start that has converged stops.
  keys = jax.random.split(key, num_restarts)
  centres, inertia = jax.lax.map(cluster_once, keys)
  found = assign(feature, label, centres[inertia.argmin()])
  return jax.lax.with_sharding_constraint(found, placement.replicated)


def _iterate(
  move: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
  first: jax.Array,
  iterations: int,
) -> tuple[jax.Array, jax.Array]:
  """Moves centres [K, C] until they stay where they are.

  Args:
    move: returns the means [K, C] of the rows that are nearest to centres, and
      how many unlabelled rows [K] each has.
    first: float32 [K, C], where they start.
    iterations: the largest number of moves.

  Returns:
    What `move` returned last.
  """

  def step(loop: tuple) -> tuple:
    count, _, centres, _ = loop
    return count + 1, centres, *move(centres)

  def is_moving(loop: tuple) -> jax.Array:
    count, before, centres, _ = loop
    return (count < iterations) & jnp.any(before != centres)

  start = 0, jnp.full_like(first, jnp.inf), first, jnp.zeros(len(first))
  return jax.lax.while_loop(is_moving, step, start)[2:]


def _first_centres(
  feature: jax.Array,
  label: jax.Array,
  known_centres: jax.Array,
  num_clusters: int,
  key: jax.Array,
) -> jax.Array:
  """Appends centres drawn by k-means++ to those of the known classes.

  Each new centre is an unlabelled row, drawn with a probability in proportion
  to its squared distance from the nearest centre so far.
  """
  num_known, channels = known_centres.shape
  position = jnp.arange(len(label))
  novel = jnp.zeros((num_clusters - num_known, channels))
  centres = jnp.concatenate([known_centres, novel])

  # One centre after the other: all distances at a time take K times the memory.
  def approach(n: int, distance: jax.Array, centres: jax.Array) -> jax.Array:
    to_centre = _squared_distances(feature, centres[n][None])[:, 0]
    return jnp.minimum(distance, to_centre)

  def draw(n: int, loop: tuple[jax.Array, jax.Array]) -> tuple:
    distance, centres = loop
    weight = jnp.where(label == UNLABELLED, jnp.log(distance + _TINY), -jnp.inf)
    row = jax.random.categorical(jax.random.fold_in(key, n), weight)
    # A product. An index would gather the features of all devices.
    is_row = (position == row).astype(feature.dtype)
    chosen = jnp.matmul(is_row, feature, precision=_EXACT)
    centres = centres.at[n].set(chosen)
    return approach(n, distance, centres), centres

  distance = jax.lax.fori_loop(
    0,
    num_known,
    lambda n, distance: approach(n, distance, centres),
    jnp.full(len(label), _FAR),
  )
  loop = distance, centres
  return jax.lax.fori_loop(num_known, num_clusters, draw, loop)[1]


def _on_devices(
  placement: Placement, one_pass: Callable, chunk: int
) -> Callable[[jax.Array, jax.Array, jax.Array], Any]:
  """Returns `(feature, label, centres) -> result` over the rows of all devices.

  Args:
    placement: the devices.
    one_pass: `_means` or `_assign`, a pass over the rows of one device.
    chunk: how many rows it takes at a time.
  """
  by_row: Any = jax.P('data')
  everywhere: Any = jax.P()
  results = {
    _means: (everywhere, everywhere),
    _assign: Clusters(by_row, by_row, everywhere, everywhere),
  }
  return jax.shard_map(
    functools.partial(one_pass, chunk=chunk),
    mesh=placement.mesh,
    in_specs=(by_row, by_row, everywhere),
    out_specs=results[one_pass],
    # Loops begin with zeros, which are the same on all devices, and end with
    # sums that are not.
    check_vma=False,
  )


def _means(
  feature: jax.Array, label: jax.Array, centres: jax.Array, *, chunk: int
) -> tuple[jax.Array, jax.Array]:
  """Returns the mean [K, C] of the rows that are nearest to each centre.

  Labelled rows belong to their class. A cluster without rows keeps its centre.
  Returns the number [K] of unlabelled rows of each too.
  """
  num_clusters = len(centres)

  def add(n: int, sums: tuple[jax.Array, jax.Array, jax.Array]) -> tuple:
    size, unlabelled, total = sums
    start, counts = _chunk_of(n, chunk, label)
    part = jax.lax.dynamic_slice_in_dim(feature, start, chunk)
    given = jax.lax.dynamic_slice_in_dim(label, start, chunk)
    nearest = _squared_distances(part, centres).argmin(1)
    assigned = jnp.where(given >= 0, given, nearest)
    member = jax.nn.one_hot(assigned, num_clusters) * counts[:, None]
    product = jnp.einsum('nk,nc->kc', member, part, precision=_EXACT)
    unlabelled += (member * (given < 0)[:, None]).sum(0)
    return size + member.sum(0), unlabelled, total + product

  none = jnp.zeros(num_clusters)
  zeros = none, none, jnp.zeros_like(centres)
  sums = jax.lax.fori_loop(0, _num_chunks(chunk, label), add, zeros)
  size, unlabelled, total = jax.lax.psum(sums, 'data')
  size = size[:, None]
  means = jnp.where(size > 0, total / jnp.maximum(size, 1), centres)
  return means, unlabelled


def _assign(
  feature: jax.Array, label: jax.Array, centres: jax.Array, *, chunk: int
) -> Clusters:
  """Returns the clusters of the rows by their nearest centres."""

  def add(n: int, found: Clusters) -> Clusters:
    start, counts = _chunk_of(n, chunk, label)
    part = jax.lax.dynamic_slice_in_dim(feature, start, chunk)
    given = jax.lax.dynamic_slice_in_dim(label, start, chunk)
    squared = _squared_distances(part, centres)
    assigned = jnp.where(given >= 0, given, squared.argmin(1)).astype(jnp.int32)
    own = jnp.take_along_axis(squared, assigned[:, None], 1)[:, 0]
    nearest = jnp.sqrt(-jax.lax.top_k(-squared, min(2, len(centres)))[0])
    margin = 1 - nearest[:, 0] / jnp.maximum(nearest[:, -1], _TINY)
    put = jax.lax.dynamic_update_slice_in_dim
    return Clusters(
      put(found.assigned, assigned, start, 0),
      put(found.margin, margin, start, 0),
      found.inertia + (own * counts).sum(),
      centres,
    )

  found = Clusters(
    jnp.zeros_like(label), jnp.zeros(len(label)), jnp.zeros(()), centres
  )
  found = jax.lax.fori_loop(0, _num_chunks(chunk, label), add, found)
  return found._replace(inertia=jax.lax.psum(found.inertia, 'data'))


def _num_chunks(chunk: int, label: jax.Array) -> int:
  return -(-len(label) // chunk)


def _chunk_of(
  n: jax.typing.ArrayLike, chunk: int, label: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns a chunk's first row, and which of its rows count, bool [chunk].

  The last chunk begins earlier, to be as long as the others. Rows that
  the chunk before had do not count again, and padding never counts.
  """
  start = jnp.minimum(n * chunk, len(label) - chunk)
  is_new = start + jnp.arange(chunk) >= n * chunk
  given = jax.lax.dynamic_slice_in_dim(label, start, chunk)
  return start, is_new & (given > PADDING)


def _squared_distances(feature: jax.Array, centres: jax.Array) -> jax.Array:
  """Returns squared distances [N, K] between rows and centres."""
  product = jnp.matmul(feature, centres.T, precision=_EXACT)
  squares = (feature**2).sum(1, keepdims=True) + (centres**2).sum(1)
  # Rounding can make the distance of a row from itself negative.
  return jnp.maximum(squares - 2 * product, 0)
