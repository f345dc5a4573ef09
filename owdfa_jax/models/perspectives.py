"""Views of a feature map besides its mean: grids of parts, wavelet bands.

Pure functions without parameters: the pairing takes no gradient, so scales of
batch norms here would stay at 1.
"""

import jax
import jax.numpy as jnp
import numpy as np

from owdfa_jax.models import batch_norm


def pooling_window(size: int, grid: int) -> tuple[int, int]:
  """Returns the kernel and stride that pool `size` pixels to `grid` cells.

  stride = floor(size / grid), kernel = size - (grid - 1) stride, so all cells
  have the same size; they overlap if the grid does not divide the size.

  Args:
    size: pixels; at least `grid`.
    grid: cells.
  """
  stride = size // grid
  return size - (grid - 1) * stride, stride


def pooling_matrix(size: int, grid: int) -> np.ndarray:
  """Returns the averages over the windows of `pooling_window`, [grid, size]."""
  kernel, stride = pooling_window(size, grid)
  place = np.arange(size) - stride * np.arange(grid)[:, None]
  return ((place >= 0) & (place < kernel)) / kernel


def average_pool(feature_map: jax.Array, grid: int) -> jax.Array:
  """Pools [B, H, W, C] to [B, grid * grid, C], the cells row by row."""
  _, height, width, _ = feature_map.shape
  return _combine_pixels(
    np.kron(pooling_matrix(height, grid), pooling_matrix(width, grid)),
    feature_map,
  )


def normalise_cells(parts: jax.Array) -> jax.Array:
  """Normalises each cell of [B, P, C] over the batch, by its own statistics."""
  # No running statistics: parts are computed in training only.
  return batch_norm.standardise(parts, *batch_norm.moments(parts, (0,)))


def haar_bands(
  feature_map: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns the detail bands LH, HL, HH of one level of the Haar wavelet.

  A block [[a, b], [c, d]] of pixels gives (a+b-c-d)/2, (a-b+c-d)/2 and
  (a-b-c+d)/2. An odd size is padded with zeros at its far end.

  Args:
    feature_map: [B, H, W, C].

  Returns:
    Three arrays [B, ceil(H/2) ceil(W/2), C].
  """
  _, height, width, _ = feature_map.shape
  (row_sums, row_differences), (column_sums, column_differences) = (
    _neighbours(size) for size in (height, width)
  )
  low_high, high_low, high_high = (
    _combine_pixels(np.kron(rows, columns) / 2, feature_map)
    for rows, columns in (
      (row_differences, column_sums),
      (row_sums, column_differences),
      (row_differences, column_differences),
    )
  )
  return low_high, high_low, high_high


def _neighbours(size: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns sums and differences of pixels two by two, [ceil(size / 2), size].

  The last pixel of an odd size is alone.
  """
  pixel = np.arange(size)
  pair = pixel // 2 == np.arange((size + 1) // 2)[:, None]
  return np.where(pair, 1, 0), np.where(pair, 1 - 2 * (pixel % 2), 0)


def _combine_pixels(matrix: np.ndarray, feature_map: jax.Array) -> jax.Array:
  """Returns linear combinations of an image's pixels, for each channel.

  On an accelerator a matrix product reads and writes less than windows and
  slices, which want other layouts.

  Args:
    matrix: [P, H * W], used in the dtype of the map.
    feature_map: [B, H, W, C].

  Returns:
    [B, P, C].
  """
  batch, height, width, features = feature_map.shape
  return jnp.einsum(
    'px,bxc->bpc',
    jnp.asarray(matrix, feature_map.dtype),
    feature_map.reshape(batch, height * width, features),
    precision=jax.lax.Precision.HIGHEST,
  )
