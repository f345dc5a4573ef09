"""Traces the clustering of features for a set of devices, and prints costs."""

import argparse
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from owdfa_jax.discovery import kmeans
from owdfa_jax.parallel import Placement, round_up
from owdfa_jax.scale.chips import placement_of
from owdfa_jax.scale.program import step_cost
from owdfa_jax.scale.table import cost_table
from owdfa_jax.training.progress import say

# As `clusters.semi_supervised_kmeans` draws and moves centres.
OVERCLUSTERING = 4
MOVES = 100


def print_clustering_costs(
  options: argparse.Namespace, clusters: Sequence[int]
) -> None:
  """Prints what one start of semi-supervised k-means costs each device.

  Args:
    options: the flags of the command.
    clusters: numbers of clusters; each has a row of the table.

  Raises:
    UserError: the chips are unknown.
  """
  placement = placement_of(options.topology, options.devices)
  costs = {}
  for count in clusters:
    say(f'compiling: k-means, {count} clusters')
    lowered = lower_clustering(options.rows, options.channels, count, placement)
    costs[f'{count} clusters'] = step_cost(lowered.compile())
  kind = placement.mesh.devices.flat[0].device_kind
  say(
    f'\nk-means, one start, {MOVES} moves at most, {options.rows} rows of '
    f'{options.channels} channels on {placement.mesh.size} x {kind}; of each '
    f'chip:\n\n{cost_table(costs)}'
  )


def lower_clustering(
  rows: int, channels: int, num_clusters: int, placement: Placement
) -> Any:
  """Returns one start of k-means, traced but not compiled.

  Half of the clusters are those of known classes.

  Args:
    rows: N, the number of features.
    channels: C, of a feature.
    num_clusters: K.
    placement: the devices, which need not be there.

  Returns:
    A `jax.stages.Lowered`.
  """
  padded = round_up(rows, placement)

  def split(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=placement.by_batch)

  key = jax.eval_shape(lambda: jax.random.key(0))
  return kmeans.cluster.lower(
    split(jnp.float32, padded, channels),
    split(jnp.int32, padded),
    jax.ShapeDtypeStruct(key.shape, key.dtype, sharding=placement.replicated),
    placement=placement,
    num_known=num_clusters // 2,
    num_clusters=num_clusters,
    num_restarts=1,
    num_iterations=MOVES,
    overclustering=OVERCLUSTERING,
  )
