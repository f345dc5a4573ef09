"""Merging of centres: scikit-learn, sizes, and centres without rows."""

import jax
import numpy as np
from sklearn.cluster import AgglomerativeClustering

from owdfa_jax.discovery.ward import merge_centres

merge = jax.jit(merge_centres, static_argnums=2)


def test_equals_ward_of_scikit_learn():
  rng = np.random.default_rng(0)
  centres = rng.normal(size=(24, 5)).astype(np.float32)
  size = rng.integers(1, 5, 24)
  found = np.asarray(merge(centres, size, 7))
  # Equal points merge first and at no cost.
  points = np.repeat(centres, size, axis=0)
  label = AgglomerativeClustering(7, linkage='ward').fit(points).labels_
  means = np.stack([points[label == k].mean(0) for k in range(7)])
  apart = np.linalg.norm(found[:, None] - means, axis=-1)
  assert sorted(apart.argmin(1)) == list(range(7))
  np.testing.assert_allclose(apart.min(1), 0, atol=1e-5)


def test_large_clusters_are_kept_apart():
  """The two small ones merge, although they are farther apart."""
  centres = np.array([[0.0], [1.0], [10.0], [13.0]], np.float32)
  found = np.asarray(merge(centres, np.array([90, 90, 1, 2]), 3))
  np.testing.assert_allclose(found.ravel(), [0, 1, 12])


def test_centres_without_rows_are_left_out():
  centres = np.array([[0.0], [5.0], [6.0], [100.0]], np.float32)
  found = np.asarray(merge(centres, np.array([3, 0, 2, 4]), 2))
  np.testing.assert_allclose(found.ravel(), [2.4, 100])
  # They fill up, if there are too few others.
  found = np.asarray(merge(centres, np.array([0, 0, 2, 0]), 3))
  np.testing.assert_allclose(found.ravel(), [6, 0, 5])
