"""Semi-supervised k-means: against what is known of it, and invariances."""

import jax
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from owdfa_jax.discovery.clusters import match_outputs, semi_supervised_kmeans

KNOWN, ALL = 3, 7


@pytest.fixture
def blobs():
  """Rows around seven directions, of which a third of three are labelled."""
  rng = np.random.default_rng(0)
  centres = np.linalg.qr(rng.normal(size=(16, 16)))[0][:ALL]
  source = rng.permutation(np.repeat(np.arange(ALL), 30)).astype(np.int32)
  feature = centres[source] + 0.08 * rng.normal(size=(len(source), 16))
  label = np.where(
    (source < KNOWN) & (rng.random(len(source)) < 1 / 3), source, -1
  )
  return feature.astype(np.float32), label.astype(np.int32), source


def cluster(feature, label, seed=0, **settings):
  found = semi_supervised_kmeans(
    feature, label, KNOWN, ALL, jax.random.key(seed), **settings
  )
  return jax.device_get(found)


def test_it_finds_the_sources_and_names_the_known_ones(blobs):
  feature, label, source = blobs
  found = cluster(feature, label)
  known = source < KNOWN
  np.testing.assert_array_equal(found.assigned[known], source[known])
  assert adjusted_rand_score(source, found.assigned) == 1


def test_a_labelled_row_stays_with_its_class(blobs):
  feature, label, _ = blobs
  label = label.copy()
  wrong = np.flatnonzero(label == 0)[:2]
  label[wrong] = 1
  found = cluster(feature, label)
  np.testing.assert_array_equal(found.assigned[label >= 0], label[label >= 0])


def test_without_labels_to_hold_it_is_k_means(blobs):
  feature, label, _ = blobs
  one_each = np.full(len(label), -1, np.int32)
  for c in range(KNOWN):
    one_each[np.flatnonzero(label == c)[0]] = c
  found = cluster(feature, one_each)
  unit = feature / np.linalg.norm(feature, axis=1, keepdims=True)
  theirs = KMeans(ALL, n_init=10, random_state=0).fit(unit)
  assert adjusted_rand_score(theirs.labels_, found.assigned) == 1
  np.testing.assert_allclose(found.inertia, theirs.inertia_, rtol=1e-4)


def test_the_order_and_length_of_rows_do_not_matter(blobs):
  feature, label, _ = blobs
  found = cluster(feature, label)
  order = np.random.default_rng(1).permutation(len(label))
  scale = np.random.default_rng(2).uniform(0.1, 9, (len(label), 1))
  moved = cluster((feature * scale).astype(np.float32)[order], label[order])
  assert adjusted_rand_score(found.assigned[order], moved.assigned) == 1
  np.testing.assert_allclose(found.margin[order], moved.margin, atol=1e-4)


def test_the_margin_is_that_of_the_two_nearest_centres(blobs):
  feature, label, _ = blobs
  found = cluster(feature, label)
  unit = feature / np.linalg.norm(feature, axis=1, keepdims=True)
  centres = np.stack([unit[found.assigned == k].mean(0) for k in range(ALL)])
  distance = np.linalg.norm(unit[:, None] - centres, axis=-1)
  first, second = np.sort(distance, 1)[:, :2].T
  np.testing.assert_allclose(found.margin, 1 - first / second, atol=1e-4)
  own = distance[np.arange(len(unit)), found.assigned]
  np.testing.assert_allclose(found.inertia, (own**2).sum(), rtol=1e-4)


def test_restarts_never_make_it_worse(blobs):
  rng = np.random.default_rng(3)
  feature = rng.normal(size=(60, 5)).astype(np.float32)
  label = np.full(60, -1, np.int32)
  label[:KNOWN] = np.arange(KNOWN)
  one, many = (cluster(feature, label, num_restarts=n) for n in (1, 20))
  assert many.inertia < one.inertia


def test_more_clusters_than_rows_is_finite():
  feature = np.eye(4, dtype=np.float32)
  label = np.array([0, 1, 2, -1], np.int32)
  found = cluster(feature, label)
  assert np.isfinite(found.margin).all() and found.inertia < 1e-6


def test_clusters_get_the_names_that_agree_most():
  assigned = np.array([0, 1, 2, 2, 2, 3, 3, 3])
  predicted = np.array([1, 1, 5, 5, 4, 4, 4, 0])
  named = match_outputs(assigned, predicted, 2, np.array([0, 1, 4, 5]))
  # Known clusters keep their name whatever the head says of them.
  assert named.tolist() == [0, 1, 5, 5, 5, 4, 4, 4]


def test_two_clusters_never_share_a_name():
  rng = np.random.default_rng(4)
  assigned, predicted = rng.integers(0, 6, (2, 50))
  named = match_outputs(assigned, np.minimum(predicted, 3), 2, np.arange(6))
  pairs = set(zip(assigned.tolist(), named.tolist(), strict=True))
  assert len(pairs) == len(set(assigned)) == len(set(named))
