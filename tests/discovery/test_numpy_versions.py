"""What `spectrum` computes with NumPy, `discovery` computes on devices."""

import jax
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from owdfa_jax.discovery import clusters, ward
from owdfa_jax.discovery.whitening import within_class
from owdfa_jax.spectrum import kmeans
from owdfa_jax.spectrum.whitening import class_scatter, within_class_whitening

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.mark.parametrize('seed', range(3))
def test_the_same_centres_are_merged(seed):
  draws = np.random.default_rng(seed)
  centres = draws.normal(size=(20, 4)).astype(np.float32)
  # Some have no rows.
  size = draws.integers(0, 9, 20)
  numpy = kmeans.merge_centres(centres, size, 6)
  devices = np.asarray(
    jax.jit(ward.merge_centres, static_argnums=2)(centres, size, 6)
  )
  order = [np.lexsort(found.T) for found in (numpy, devices)]
  np.testing.assert_allclose(numpy[order[0]], devices[order[1]], atol=1e-5)


@pytest.mark.parametrize('shrinkage', [0.01, 0.3])
def test_the_whitening_is_the_same_where_the_mean_variance_is_1(shrinkage):
  draws = np.random.default_rng(0)
  label = np.repeat([0, 1, 2, -1], 50).astype(np.int32)
  rows = draws.normal(size=(200, 5)) @ draws.normal(size=(5, 5))
  rows += 3 * draws.normal(size=(4, 5))[label]
  # Then both shrink towards the identity.
  rows /= np.sqrt(np.trace(class_scatter(rows, label)) / 5)
  rows = rows.astype(np.float32)
  np.testing.assert_allclose(
    within_class_whitening(rows, label, shrinkage),
    within_class(rows, label, 3, shrinkage).matrix,
    rtol=1e-3,
    atol=1e-3,
  )


def test_the_same_clusters_are_found():
  draws = np.random.default_rng(1)
  source = np.repeat(np.arange(6), 30)
  rows = 2 * np.eye(6, 8)[source] + 0.4 * draws.normal(size=(180, 8))
  rows = kmeans.unit_rows(rows).astype(np.float32)
  label = np.where((source < 2) & (draws.random(180) < 0.5), source, -1)
  settings = dict(num_known=2, num_clusters=6, num_restarts=2, overclustering=4)
  numpy = kmeans.semi_supervised_kmeans(rows, label, seed=(0,), **settings)
  devices = clusters.semi_supervised_kmeans(
    rows, label.astype(np.int32), key=jax.random.key(0), **settings
  )
  assert adjusted_rand_score(numpy.assigned, devices.assigned) == 1
  assert numpy.inertia == pytest.approx(float(devices.inertia), rel=1e-4)
