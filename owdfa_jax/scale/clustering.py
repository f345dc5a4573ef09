"""Counts what the clustering of features costs, and times it."""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from owdfa_jax.discovery import kmeans
from owdfa_jax.discovery.whitening import PADDING, UNLABELLED
from owdfa_jax.parallel import Placement, round_up
from owdfa_jax.scale.chips import placement_of
from owdfa_jax.scale.program import Cost, step_cost
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
  costs: dict[str, Cost | None] = {}
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

  if options.run:
    for count in clusters:
      seconds = time_clustering(
        options.rows, options.channels, count, placement
      )
      say(f'{count} clusters: {seconds:.1f} s')


def time_clustering(
  rows: int, channels: int, num_clusters: int, placement: Placement
) -> float:
  """Returns the seconds of one start of k-means, without its compilation.

  The features are random, so the centres go on moving to the last iteration.
  The arguments are those of `lower_clustering`; the devices must be there.
  """
  compiled = lower_clustering(rows, channels, num_clusters, placement).compile()
  padded = round_up(rows, placement)
  key = jax.device_put(jax.random.key(0), placement.replicated)
  feature = jax.device_put(
    jax.random.normal(key, (padded, channels)), placement.by_batch
  )
  # A tenth of the rows is labelled.
  number = np.arange(padded)
  label = np.where(number % 10, UNLABELLED, number // 10 % (num_clusters // 2))
  label = np.where(number < rows, label, PADDING).astype(np.int32)
  arguments = feature, jax.device_put(label, placement.by_batch), key
  jax.block_until_ready(arguments)
  start = time.perf_counter()
  jax.block_until_ready(compiled(*arguments))
  return time.perf_counter() - start


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
