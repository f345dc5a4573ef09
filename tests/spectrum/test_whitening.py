"""Whitened components have covariance 1, whatever the features are."""

import numpy as np
import pytest

from owdfa_jax.spectrum import whitening


def mixed_rows(count=400, size=6, seed=0):
  """Returns correlated rows of various scales, float32 [count, size]."""
  generator = np.random.default_rng(seed)
  mixing = generator.normal(size=(size, size)) * 10.0 ** np.arange(-2, size - 2)
  rows = generator.normal(size=(count, size)) @ mixing + 100
  return rows.astype(np.float32)


def covariance(rows):
  return np.cov(rows.T, bias=True)


@pytest.mark.parametrize('chunk', [7, 4096])
def test_components_are_white(monkeypatch, chunk):
  monkeypatch.setattr(whitening, 'CHUNK', chunk)
  rows = mixed_rows()
  components = whitening.whitened_components(rows, 4)(rows)
  assert components.shape == (400, 4) and components.dtype == np.float32
  np.testing.assert_allclose(covariance(components), np.eye(4), atol=1e-2)
  np.testing.assert_allclose(components.mean(0), 0, atol=1e-3)


def test_components_are_those_of_scikit_learn():
  from sklearn.decomposition import PCA
  from sklearn.preprocessing import StandardScaler

  rows = mixed_rows().astype(np.float64)
  expected = PCA(3, whiten=True).fit_transform(
    StandardScaler().fit_transform(rows)
  )
  rows = rows.astype(np.float32)
  components = whitening.whitened_components(rows, 3)(rows)
  sign = np.sign((components * expected).sum(0))
  # scikit-learn divides by n - 1.
  np.testing.assert_allclose(sign * components, expected, rtol=0.02, atol=0.02)


def test_scale_and_offset_of_a_feature_do_not_matter():
  rows = mixed_rows()
  components = whitening.whitened_components(rows, 3)(rows)
  other = rows * np.float32([3, 1, 0.5, 1, 7, 1]) + np.float32(5)
  again = whitening.whitened_components(other, 3)(other)
  sign = np.sign((components * again).sum(0))
  np.testing.assert_allclose(sign * again, components, atol=0.02)


def test_constant_features_and_directions_that_rows_lack_are_left_out():
  rows = mixed_rows(count=300, size=3)
  rows = np.concatenate([rows, rows[:, :1], np.full((300, 2), 0.3)], 1)
  projection = whitening.whitened_components(rows.astype(np.float32), 64)
  components = projection(rows.astype(np.float32))
  assert components.shape[1] == 3
  assert np.isfinite(components).all()


def test_few_rows_have_few_components():
  rows = mixed_rows(count=29)
  assert whitening.whitened_components(rows, 64)(rows).shape == (29, 2)
  assert whitening.whitened_components(rows[:3], 64)(rows).shape == (29, 1)


def test_rows_that_are_all_alike_have_one_component_of_zeros():
  rows = np.ones((5, 4), np.float32)
  components = whitening.whitened_components(rows, 2)(rows)
  np.testing.assert_array_equal(components, np.zeros((5, 1)))


def test_scatter_within_classes_becomes_white():
  generator = np.random.default_rng(1)
  label = np.repeat([0, 1, 2, -1], 500)
  centre = 5 * generator.normal(size=(3, 4))
  spread = np.array([0.1, 0.5, 1, 2])
  rows = generator.normal(size=(2000, 4)) * spread
  rows[:1500] += centre[label[:1500]]
  # What unlabelled rows are does not matter.
  rows[1500:] *= 1e3
  white = rows @ whitening.within_class_whitening(rows, label, 1e-9)
  within = [white[label == c] - white[label == c].mean(0) for c in range(3)]
  scatter = covariance(np.concatenate(within))
  np.testing.assert_allclose(scatter, np.eye(4), atol=1e-3)


def test_full_shrinkage_leaves_rows_as_they_are():
  rows = mixed_rows()
  label = np.arange(400) % 2
  matrix = whitening.within_class_whitening(rows, label, 1.0)
  np.testing.assert_allclose(matrix, np.eye(6), atol=1e-6)
