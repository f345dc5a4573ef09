"""The features of a split, averaged by group and kept on the devices.

A group (the tiles of an image, the frames of a video) has one source, so the
mean of its features says more than that of a single row. Without groups each
row is a group of its own.

Rows are read in such an order that all rows of a group go to the same device.
So nothing but images goes to the devices, and no feature goes between them.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from owdfa_jax import parallel
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.restore import RestoredNetwork
from owdfa_jax.experiment import Experiment


class RowFeatures(NamedTuple):
  """The features of single rows, in no particular order.

  Attributes:
    feature: float32 [Q, C], split over the devices.
    group: int32 [Q], the group of each, -1 for padding.
  """

  feature: jax.Array
  group: np.ndarray


class ReadingOrder(NamedTuple):
  """An order of rows for the devices; M is a multiple of the batch size.

  Attributes:
    row: int32 [M], the row to read at each place; of padding, row 0.
    group: int32 [M], the group of the row, -1 for padding.
    place: int32 [M], the place of the group among the groups of its device, -1
      for padding.
  """

  row: np.ndarray
  group: np.ndarray
  place: np.ndarray


class GroupFeatures(NamedTuple):
  """The features of G groups, and what the network predicts for N rows.

  Attributes:
    feature: float32 [P, C], P >= G, split over the devices; row g is the mean
      of the features of group g. From G on there are zeros.
    group: int32 [N], the group of each row.
    predictions: of all rows.
    rows: the features of the rows; None if each row is a group of its own.
  """

  feature: jax.Array
  group: np.ndarray
  predictions: Predictions
  rows: RowFeatures | None

  def label_of_groups(self, label: np.ndarray) -> np.ndarray:
    """Returns the label of each group, int32 [G]; -1 if no row has one.

    Args:
      label: int32 [N], of the rows of one group either the same or -1.
    """
    found = np.full(int(self.group.max()) + 1, -1, np.int32)
    np.maximum.at(found, self.group, label.astype(np.int32))
    return found


def collect_features(
  experiment: Experiment, restored: RestoredNetwork, split: str = 'train'
) -> GroupFeatures:
  """Runs the network on a split, and averages its features by group.

  Each device holds its share of the groups, about G / devices features, and
  where there are groups that of the rows, about N / devices.

  Args:
    experiment: the run.
    restored: its network.
    split: 'train' or 'test'.

  Raises:
    UserError: the network's logits or features are not finite.
  """
  placement = experiment.placement
  has_groups = getattr(experiment.dataset, split).has_groups
  group = getattr(experiment.dataset, split).group
  batch_size = parallel.round_up(experiment.config.eval.batch_size, placement)
  order = reading_order(group, placement.mesh.size, batch_size)
  collector = _Collector(order, batch_size, placement, keeps_rows=has_groups)
  predictions = restored.predictor.predict_with_features(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches(split, order.row),
    collector.add,
  )
  # Rows of padding are predicted again and again.
  first = np.unique(predictions.row, return_index=True)[1]
  predictions = Predictions(
    predictions.row[first],
    predictions.predicted[first],
    predictions.confidence[first],
    predictions.fake_probability[first],
  )
  return GroupFeatures(collector.means(), group, predictions, collector.rows())


def reading_order(
  group: np.ndarray, num_devices: int, batch_size: int
) -> ReadingOrder:
  """Returns an order of rows in which each device gets whole groups.

  Args:
    group: int [N], the group of each row.
    num_devices: D; each gets batch_size / D consecutive rows of a batch.
    batch_size: B, a multiple of D.
  """
  each = -(-(int(group.max()) + 1) // num_devices)
  by_group = np.argsort(group, kind='stable')
  device = group[by_group] // each
  rows = [by_group[device == d] for d in range(num_devices)]
  share = batch_size // num_devices
  steps = -(-max(map(len, rows)) // share)
  order = np.zeros((num_devices, steps * share), np.int32)
  place = np.full_like(order, -1)
  for d, mine in enumerate(rows):
    order[d, : len(mine)] = mine
    place[d, : len(mine)] = group[mine] - d * each
  # From devices by places to batches of all devices.
  shape = num_devices, steps, share
  order, place = (
    x.reshape(shape).swapaxes(0, 1).ravel() for x in (order, place)
  )
  in_group = np.where(place < 0, -1, group[order]).astype(np.int32)
  return ReadingOrder(order, in_group, place)


class _Collector:
  """Takes in the features of batches: their means by group, and each of them.

  All arrays are split over the devices, and nothing goes between these.
  """

  def __init__(
    self,
    order: ReadingOrder,
    batch_size: int,
    placement: parallel.Placement,
    *,
    keeps_rows: bool,
  ) -> None:
    self._order, self._placement = order, placement
    self._batch_size = batch_size
    self._keeps_rows = keeps_rows
    size = np.bincount(order.group[order.group >= 0])
    self._num_groups = len(size)
    # That of padding has no effect.
    self._weight = (1 / size[order.group]).astype(np.float32)
    self._num_batches = 0
    self._means: jax.Array | None = None
    self._rows: jax.Array | None = None

  def add(self, feature: jax.Array) -> None:
    """Takes in the features [B, C] of the next batch."""
    start = self._num_batches * self._batch_size
    part = slice(start, start + self._batch_size)
    by_batch = self._placement.by_batch
    place, weight = (
      jax.make_array_from_callback(x.shape, by_batch, x.__getitem__)
      for x in (self._order.place[part], self._weight[part])
    )
    if self._means is None:
      groups = parallel.round_up(self._num_groups, self._placement)
      self._means = self._zeros(groups, feature)
    self._means = _add(
      self._means, feature, place, weight, placement=self._placement
    )
    if self._keeps_rows:
      if self._rows is None:
        self._rows = self._zeros(len(self._order.row), feature)
      self._rows = _put(
        self._rows, feature, self._num_batches, placement=self._placement
      )
    self._num_batches += 1

  def means(self) -> jax.Array:
    """Returns the mean feature of each group."""
    assert self._means is not None
    return self._means

  def rows(self) -> RowFeatures | None:
    """Returns the features of all rows; None if they were not kept."""
    if self._rows is None:
      return None
    devices = self._placement.mesh.size
    # From batches of all devices to devices by places, as the features lie.
    shape = -1, devices, self._batch_size // devices
    group = self._order.group.reshape(shape).swapaxes(0, 1).ravel()
    return RowFeatures(self._rows, group)

  def _zeros(self, length: int, feature: jax.Array) -> jax.Array:
    shape = length, feature.shape[1]
    return jnp.zeros(shape, device=self._placement.by_batch)


@functools.partial(jax.jit, static_argnames='placement', donate_argnums=0)
def _put(
  kept: jax.Array,
  feature: jax.Array,
  number: jax.typing.ArrayLike,
  *,
  placement: parallel.Placement,
) -> jax.Array:
  """Puts a batch's features behind those of the batches before it."""

  def put(
    kept: jax.Array, feature: jax.Array, number: jax.typing.ArrayLike
  ) -> jax.Array:
    return jax.lax.dynamic_update_slice_in_dim(
      kept, feature, number * len(feature), 0
    )

  by_row = jax.P('data')
  return jax.shard_map(
    put,
    mesh=placement.mesh,
    in_specs=(by_row, by_row, jax.P()),
    out_specs=by_row,
  )(kept, feature, number)


@functools.partial(jax.jit, static_argnames='placement', donate_argnums=0)
def _add(
  total: jax.Array,
  feature: jax.Array,
  place: jax.Array,
  weight: jax.Array,
  *,
  placement: parallel.Placement,
) -> jax.Array:
  """Adds weighted rows to the groups of their own device."""

  def add(
    total: jax.Array, feature: jax.Array, place: jax.Array, weight: jax.Array
  ) -> jax.Array:
    # Out of bounds for padding: such rows are dropped.
    place = jnp.where(place < 0, len(total), place)
    return total.at[place].add(weight[:, None] * feature, mode='drop')

  by_row = jax.P('data')
  return jax.shard_map(
    add, mesh=placement.mesh, in_specs=(by_row,) * 4, out_specs=by_row
  )(total, feature, place, weight)
