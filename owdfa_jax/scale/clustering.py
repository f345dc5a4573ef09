"""Counts what the clustering of features costs, and times it."""

import argparse
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.text_tables import counted
from owdfa_jax.discovery import kmeans
from owdfa_jax.discovery.whitening import PADDING, UNLABELLED
from owdfa_jax.parallel import Placement, round_up
from owdfa_jax.scale.chips import kept_name, placement_of
from owdfa_jax.scale.costs import compiled_cost, note
from owdfa_jax.scale.kept_rows import KeptRows
from owdfa_jax.scale.program import Cost
from owdfa_jax.scale.table import CostTable

# As `clusters.semi_supervised_kmeans` draws and moves centres.
OVERCLUSTERING = 4
MOVES = 100


def print_clustering_costs(
  options: argparse.Namespace,
  rows: Sequence[int],
  clusters: Sequence[int],
  counts: Sequence[int],
) -> None:
  """Prints what one start of semi-supervised k-means costs each device.

  The table has a row for each number of devices, of rows and of clusters.

  Args:
    options: the flags of the command.
    rows: numbers of features.
    clusters: numbers of clusters.
    counts: numbers of devices; 0 stands for all.

  Raises:
    UserError: the chips are unknown, or some programs could not be compiled or
      run. The others' rows are printed then.
  """
  placements = [placement_of(options.topology, count) for count in counts]
  kept = KeptRows(options.out)
  kept.begin()
  kind = placements[0].mesh.devices.flat[0].device_kind
  table = CostTable(
    f'k-means, one start, {MOVES} moves at most, {options.channels} channels, '
    f'{kind}',
    ['rows', 'clusters', 'chips'],
    ['seconds'] if options.run else [],
  )
  failed = []
  for placement, count, number in itertools.product(placements, rows, clusters):
    numbers = count, number, placement.mesh.size
    names = [str(x) for x in numbers]
    nouns = 'row', 'cluster', 'chip'
    shown = ', '.join(map(counted, numbers, nouns))
    of = {
      'topology': kept_name(options.topology, placement),
      'devices': placement.mesh.size,
      'rows': count,
      'channels': options.channels,
      'clusters': number,
      'run': options.run,
    }
    row = kept.find(of)
    if row is None:
      note(f'compiling: k-means, {shown}')
      size = count, options.channels, number
      failure = 'not compiled'
      try:
        lowered = lower_clustering(*size, placement)
        cost = compiled_cost(lowered, options.topology)
        if cost is not None and options.run:
          failure = 'not run'
          cost['seconds'] = time_clustering(*size, placement)
      except jax.errors.JaxRuntimeError as error:
        note(f'{shown}: {error}', always=True)
        failed.append(f'{failure}: {shown}')
        continue
      row = kept.keep(of, cost)
    table.add(names, *_cells(row['cost'], run=options.run))
  if failed:
    raise UserError(f'{"; ".join(failed)}; the reason stands above')


def _cells(
  kept: Mapping[str, Any] | None, *, run: bool
) -> tuple[Cost | None, None, list[str]]:
  """Returns what `CostTable.add` takes after the names."""
  if kept is None:
    return None, None, [''] if run else []
  cost = {key: value for key, value in kept.items() if key != 'seconds'}
  return Cost(**cost), None, [f'{kept["seconds"]:.1f}'] if run else []


def time_clustering(
  rows: int, channels: int, num_clusters: int, placement: Placement
) -> float:
  """Returns the seconds of one start of k-means, without its compilation.

  The features are random, so the centres go on moving to the last iteration.
  The arguments are those of `lower_clustering`; the devices must be there.
  """
  compiled = lower_clustering(rows, channels, num_clusters, placement).compile()
  padded = round_up(rows, placement)
  feature = lower_features(padded, channels, placement).compile()()
  key = jax.device_put(jax.random.key(1), placement.replicated)
  # A tenth of the rows is labelled.
  number = np.arange(padded)
  label = np.where(number % 10, UNLABELLED, number // 10 % (num_clusters // 2))
  label = np.where(number < rows, label, PADDING).astype(np.int32)
  arguments = feature, jax.device_put(label, placement.by_batch), key
  jax.block_until_ready(arguments)
  start = time.perf_counter()
  jax.block_until_ready(compiled(*arguments))
  return time.perf_counter() - start


def lower_features(rows: int, channels: int, placement: Placement) -> Any:
  """Returns the draw of random features, traced but not compiled.

  Each device draws its own rows: all of them may be more than it can hold.

  Args:
    rows: N, a multiple of the number of devices.
    channels: C, of a feature.
    placement: the devices, which need not be there.

  Returns:
    A `jax.stages.Lowered` without arguments, of float32 [N, C].
  """
  draw = jax.jit(
    lambda: jax.random.normal(jax.random.key(0), (rows, channels)),
    out_shardings=placement.by_batch,
  )
  return draw.lower()


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
