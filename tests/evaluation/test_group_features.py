"""Features by group: means, the order of reading, and devices."""

import dataclasses

import jax
import numpy as np
import pytest

from owdfa_jax.evaluation.group_features import (
  collect_features,
  reading_order,
)
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.parallel import make_placement

pytestmark = pytest.mark.usefixtures('quick_compile')


def in_groups(experiment, group):
  split = dataclasses.replace(experiment.dataset.train, row_group=group)
  dataset = dataclasses.replace(experiment.dataset, train=split)
  return dataclasses.replace(experiment, dataset=dataset)


def test_without_groups_there_is_a_feature_for_each_row(trained):
  found = collect_features(trained, restore_network(trained))
  rows = len(trained.dataset.train)
  np.testing.assert_array_equal(found.group, np.arange(rows))
  np.testing.assert_array_equal(found.predictions.row, np.arange(rows))
  assert found.feature.sharding.spec == jax.P('data')
  feature = np.asarray(found.feature)
  assert (feature[:rows].std(1) > 0).all() and not feature[rows:].any()


def test_number_of_devices_does_not_matter(trained):
  one = dataclasses.replace(
    trained, placement=make_placement(jax.devices()[:1])
  )
  rows = len(trained.dataset.train)
  eight, single = (
    np.asarray(collect_features(x, restore_network(x)).feature)[:rows]
    for x in (trained, one)
  )
  np.testing.assert_allclose(eight, single, rtol=1e-4, atol=1e-5)


def test_feature_of_a_group_is_the_mean_of_its_rows(trained):
  rows = len(trained.dataset.train)
  plain = np.asarray(
    collect_features(trained, restore_network(trained)).feature
  )
  # Groups of one to four rows, which do not lie beside each other.
  group = np.random.default_rng(0).permutation(np.arange(rows) // 3 % 25)
  group = group.astype(np.int32)
  experiment = in_groups(trained, group)
  found = collect_features(experiment, restore_network(experiment))
  for number in range(group.max() + 1):
    np.testing.assert_allclose(
      found.feature[number],
      plain[:rows][group == number].mean(0),
      rtol=1e-4,
      atol=1e-5,
    )
  assert found.rows is not None
  for number in (0, 7):
    features = np.asarray(found.rows.feature)[found.rows.group == number]
    np.testing.assert_allclose(
      np.sort(features, 0),
      np.sort(plain[:rows][group == number], 0),
      rtol=1e-4,
      atol=1e-5,
    )
  label = np.where(group % 2 == 0, group, -1)
  label[np.flatnonzero(group == 0)[0]] = -1
  expected = [g if g % 2 == 0 else -1 for g in range(group.max() + 1)]
  assert found.label_of_groups(label).tolist() == expected


@pytest.mark.parametrize('num_groups', [3, 16, 50])
def test_each_device_reads_whole_groups(num_groups):
  group = np.random.default_rng(1).permutation(np.arange(50) % num_groups)
  order = reading_order(group, num_devices=4, batch_size=8)
  row, place = order.row, order.place
  assert len(row) % 8 == 0
  is_row = place >= 0
  np.testing.assert_array_equal(order.group, np.where(is_row, group[row], -1))
  np.testing.assert_array_equal(np.sort(row[is_row]), np.arange(50))
  device = np.arange(len(row)) % 8 // 2
  each = -(-num_groups // 4)
  np.testing.assert_array_equal(
    group[row][is_row], (device * each + place)[is_row]
  )
