"""Images times matrices against numpy and OpenCV."""

import cv2
import numpy as np
import pytest

from helpers.arrays import random_normal
from owdfa_jax.models import pixel_matrices


def test_every_channel_is_multiplied_from_both_sides():
  x = random_normal(2, 4, 3, 5)
  rows, columns = random_normal(6, 4, seed=1), random_normal(7, 3, seed=2)
  result = pixel_matrices.multiply_pixels(rows, columns, x)
  assert result.shape == (2, 6, 7, 5)
  for image, channel in ((1, 3), (0, 0)):
    np.testing.assert_allclose(
      result[image, ..., channel],
      rows @ x[image, ..., channel] @ columns.T,
      rtol=1e-5,
      atol=1e-5,
    )


@pytest.mark.parametrize('size', [32, 24, 15, 4])
def test_resizing_is_opencvs(size):
  image = random_normal(size, size)
  half = cv2.resize(image, (size // 2, size // 2))
  matrix = pixel_matrices.resize_matrix(size, size // 2)
  np.testing.assert_allclose(matrix @ image @ matrix.T, half, atol=1e-5)
  matrix = pixel_matrices.resize_matrix(size // 2, size)
  np.testing.assert_allclose(
    matrix @ half @ matrix.T, cv2.resize(half, (size, size)), atol=1e-5
  )


@pytest.mark.parametrize('size', [1, 2, 3, 7, 64])
def test_resizing_keeps_a_constant(size):
  np.testing.assert_allclose(pixel_matrices.resize_matrix(size, 9).sum(1), 1)
