"""CDAL's degraded features against OpenCV and by their properties."""

import cv2
import jax
import numpy as np
import pytest

from helpers.arrays import random_features, random_normal
from owdfa_jax.models import degrading

KEY = jax.random.key(0)


@pytest.mark.parametrize('size', [32, 24, 15])
def test_shrinking_equals_opencvs_halving_and_blur(size):
  image = random_normal(size, size)
  small = cv2.resize(image, (size // 2, size // 2))
  expected = cv2.GaussianBlur(
    small, (11, 11), 7, borderType=cv2.BORDER_REFLECT_101
  )
  matrix = degrading.shrink_matrix(size)
  np.testing.assert_allclose(matrix @ image @ matrix.T, expected, atol=1e-5)


@pytest.mark.parametrize('size', [1, 2, 3, 7, 64])
def test_shrinking_keeps_a_constant(size):
  np.testing.assert_allclose(degrading.shrink_matrix(size).sum(1), 1)


def test_degrading_keeps_blurs_and_adds_noise(monkeypatch):
  x = random_features(2, 16, 12)
  one, zero = (np.full((2, 16, 12, 1), v, np.float32) for v in (1, 0))
  degrade = degrading.degrade
  np.testing.assert_array_equal(degrade(x, one, zero, KEY), x)
  np.testing.assert_array_equal(degrade(x, zero, zero, KEY), 0)
  noisy = degrade(x, zero, one, KEY)
  monkeypatch.setattr(degrading, 'NOISE', 0.0)
  blurred = degrade(x, zero, one, KEY)
  assert np.std(blurred, (1, 2)).max() < 0.2 * np.std(x, (1, 2)).min()
  # Bilinear doubling keeps 25 / 64 of the variance of white noise.
  np.testing.assert_allclose(np.std(noisy - blurred), 0.0625, rtol=0.15)
  combined = degrade(x, 2 * one, 3 * one, KEY)
  np.testing.assert_allclose(combined, 2 * x + 3 * blurred, rtol=1e-5)
