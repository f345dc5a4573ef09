"""Semi-supervised k-means: known clusters, scikit-learn, invariants."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from owdfa_jax.discovery import kmeans
from owdfa_jax.discovery.clusters import (
  match_outputs,
  rows_on_devices,
  semi_supervised_kmeans,
  whiten_rows,
)
from owdfa_jax.discovery.whitening import KINDS, fit
from owdfa_jax.evaluation.group_features import RowFeatures
from owdfa_jax.evaluation.whitening_map import whiten
from owdfa_jax.parallel import make_placement

pytestmark = pytest.mark.usefixtures('quick_compile')
NUM_KNOWN, NUM_ALL = 3, 7


@pytest.fixture
def blobs():
  """Features around seven directions, labels and true sources.

  A third of the rows of the first three sources are labelled.
  """
  rng = np.random.default_rng(0)
  centres = np.linalg.qr(rng.normal(size=(16, 16)))[0][:NUM_ALL]
  source = rng.permutation(np.repeat(np.arange(NUM_ALL), 30)).astype(np.int32)
  feature = centres[source] + 0.08 * rng.normal(size=(len(source), 16))
  label = np.where(
    (source < NUM_KNOWN) & (rng.random(len(source)) < 1 / 3), source, -1
  )
  return feature.astype(np.float32), label.astype(np.int32), source


def cluster(feature, label, seed=0, **settings):
  found = semi_supervised_kmeans(
    feature,
    label,
    num_known=NUM_KNOWN,
    num_clusters=NUM_ALL,
    key=jax.random.key(seed),
    **settings,
  )
  return jax.device_get(found)


def unit(feature):
  return feature / np.linalg.norm(feature, axis=1, keepdims=True)


def test_finds_the_sources_and_keeps_known_classes_in_place(blobs):
  feature, label, source = blobs
  found = cluster(feature, label)
  known = source < NUM_KNOWN
  np.testing.assert_array_equal(found.assigned[known], source[known])
  assert adjusted_rand_score(source, found.assigned) == 1


def test_labelled_row_stays_with_its_class(blobs):
  feature, label, _ = blobs
  label = label.copy()
  wrong = np.flatnonzero(label == 0)[:2]
  label[wrong] = 1
  found = cluster(feature, label)
  np.testing.assert_array_equal(found.assigned[label >= 0], label[label >= 0])


def test_with_one_label_per_class_it_equals_kmeans(blobs):
  feature, label, _ = blobs
  one_each = np.full(len(label), -1, np.int32)
  for c in range(NUM_KNOWN):
    one_each[np.flatnonzero(label == c)[0]] = c
  found = cluster(feature, one_each)
  expected = KMeans(NUM_ALL, n_init=10, random_state=0).fit(unit(feature))
  assert adjusted_rand_score(expected.labels_, found.assigned) == 1
  np.testing.assert_allclose(found.inertia, expected.inertia_, rtol=1e-4)


def test_order_and_length_of_rows_do_not_matter(blobs):
  feature, label, _ = blobs
  found = cluster(feature, label)
  order = np.random.default_rng(1).permutation(len(label))
  scale = np.random.default_rng(2).uniform(0.1, 9, (len(label), 1))
  moved = cluster((feature * scale).astype(np.float32)[order], label[order])
  assert adjusted_rand_score(found.assigned[order], moved.assigned) == 1
  np.testing.assert_allclose(found.margin[order], moved.margin, atol=1e-4)


def test_margin_is_that_of_the_two_nearest_centres(blobs):
  feature, label, _ = blobs
  found = cluster(feature, label)
  rows = unit(feature)
  centres = np.stack(
    [rows[found.assigned == k].mean(0) for k in range(NUM_ALL)]
  )
  distance = np.linalg.norm(rows[:, None] - centres, axis=-1)
  first, second = np.sort(distance, 1)[:, :2].T
  np.testing.assert_allclose(found.margin, 1 - first / second, atol=1e-4)
  own = distance[np.arange(len(rows)), found.assigned]
  np.testing.assert_allclose(found.inertia, (own**2).sum(), rtol=1e-4)


def test_more_restarts_find_lower_inertia():
  feature = np.random.default_rng(3).normal(size=(60, 5)).astype(np.float32)
  label = np.full(60, -1, np.int32)
  label[:NUM_KNOWN] = np.arange(NUM_KNOWN)
  one, many = (
    cluster(feature, label, num_restarts=n, overclustering=1) for n in (1, 20)
  )
  assert many.inertia < one.inertia


def test_more_clusters_than_rows_stay_finite():
  feature = np.eye(4, dtype=np.float32)
  label = np.array([0, 1, 2, -1], np.int32)
  found = cluster(feature, label)
  assert np.isfinite(found.margin).all() and found.inertia < 1e-6


def test_known_class_without_a_labelled_row_is_named(blobs):
  feature, label, _ = blobs
  with pytest.raises(ValueError, match='got none of class 1'):
    cluster(feature, np.where(label == 1, -1, label))


def test_clusters_are_named_after_the_outputs_that_agree_most():
  assigned = np.array([0, 1, 2, 2, 2, 3, 3, 3])
  predicted = np.array([1, 1, 5, 5, 4, 4, 4, 0])
  output = match_outputs(assigned, predicted, 2, np.array([0, 1, 4, 5]))
  # Known clusters keep their names, whatever the head predicts.
  assert output.tolist() == [0, 1, 5, 4]


def test_two_clusters_never_share_an_output():
  rng = np.random.default_rng(4)
  assigned, predicted = rng.integers(0, 6, (2, 50))
  output = match_outputs(assigned, np.minimum(predicted, 3), 2, np.arange(6))
  assert sorted(output.tolist()) == list(range(6))


def test_number_of_devices_and_size_of_chunks_do_not_matter(blobs):
  feature, label, _ = blobs
  feature = feature[:205] + 0.2  # 205 rows: padding on eight devices
  label = label[:205]
  starts = {'overclustering': 2, 'num_restarts': 10}
  one = cluster(feature, label, **starts)
  eight = cluster(feature, label, placement=make_placement(), **starts)
  placement = make_placement()
  split = rows_on_devices(feature, label, placement)
  # 26 rows a device, in chunks of 9, 9 and 8.
  chunks = kmeans.cluster(
    *split,
    jax.random.key(0),
    placement=placement,
    num_known=NUM_KNOWN,
    num_clusters=NUM_ALL,
    num_restarts=10,
    num_iterations=100,
    overclustering=2,
    most_distances=70,
  )
  for found in (eight, chunks):
    np.testing.assert_array_equal(found.assigned[:205], one.assigned)
    np.testing.assert_allclose(found.margin[:205], one.margin, atol=1e-5)
    np.testing.assert_allclose(found.centres, one.centres, atol=1e-5)
    np.testing.assert_allclose(found.inertia, one.inertia, rtol=1e-5)


def test_no_device_gets_the_features_of_others():
  placement = make_placement()
  rows, channels = 800, 96
  program = kmeans.cluster.lower(
    jax.ShapeDtypeStruct(
      (rows, channels), np.float32, sharding=placement.by_batch
    ),
    jax.ShapeDtypeStruct((rows,), np.int32, sharding=placement.by_batch),
    jax.random.key(0),
    placement=placement,
    num_known=2,
    num_clusters=5,
    num_restarts=2,
    num_iterations=10,
    overclustering=4,
  ).compile()
  moved = re.findall(
    r'= \S*\[([\d,]*)\]\S* (?:all-gather|all-to-all|collective-permute)\(',
    program.as_text(),
  )
  # The places of the drawn rows, and what is returned of each row.
  assert moved and {shape.count(',') for shape in moved} == {0}


def test_whitening_of_groups_is_fitted_to_their_rows(blobs):
  feature, label, _ = blobs
  group = np.repeat(np.arange(105), 2).astype(np.int32)
  label = label[::2]
  means = feature.reshape(105, 2, -1).mean(1)
  padded = np.append(group, [-1, -1]).astype(np.int32)
  rows = RowFeatures(jnp.asarray(np.pad(feature, ((0, 2), (0, 0)))), padded)
  found, whitened = whiten_rows(
    KINDS['pca_within_class'], means, label, num_known=NUM_KNOWN, rows=rows
  )
  expected = fit(KINDS['pca_within_class'], feature, label[group], NUM_KNOWN)
  np.testing.assert_allclose(
    whitened, whiten(expected, means), rtol=1e-2, atol=1e-2
  )
  np.testing.assert_allclose(found.mean, expected.mean, atol=1e-5)
