"""CDAL's degraded features: blurred, noisy, and weighed by attention maps."""

import jax
import numpy as np

from owdfa_jax.models.pixel_matrices import multiply_pixels, resize_matrix

# The released code's blur, in pixels of the halved map, and its noise.
BLUR_SIZE = 11
BLUR_SIGMA = 7.0
NOISE = 0.1


def degrade(
  x: jax.Array, kept: jax.Array, blurred: jax.Array, key: jax.Array
) -> jax.Array:
  """Degrades features where a map says so, and keeps them where another does.

  x a_1 + up(blur(down(x)) + n) a_2, with maps a_1 and a_2 and noise n.

  Args:
    x: float32 [B, h, w, C].
    kept: a_1, float32 [B, h, w, 1].
    blurred: a_2, float32 [B, h, w, 1].
    key: draws n, normal with standard deviation 0.1.

  Returns:
    float32 [B, h, w, C].
  """
  height, width = x.shape[1:3]
  small = multiply_pixels(shrink_matrix(height), shrink_matrix(width), x)
  small += NOISE * jax.random.normal(key, small.shape)
  rows = resize_matrix(small.shape[1], height)
  columns = resize_matrix(small.shape[2], width)
  return x * kept + multiply_pixels(rows, columns, small) * blurred


def shrink_matrix(size: int) -> np.ndarray:
  """Returns the halving and blurring of a column of pixels, [size // 2, size].

  The blur is Gaussian and reflects at the borders, as OpenCV's does.
  """
  small = max(size // 2, 1)
  reach = BLUR_SIZE // 2
  weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / BLUR_SIGMA) ** 2)
  weights /= weights.sum()
  # On a small map the blur reaches past both borders, so that a pixel is
  # reflected several times and its weights add up.
  reflected = np.pad(np.arange(small), reach, mode='reflect')
  blur = np.zeros((small, small))
  for row in range(small):
    np.add.at(blur[row], reflected[row : row + BLUR_SIZE], weights)
  return blur @ resize_matrix(size, small)
