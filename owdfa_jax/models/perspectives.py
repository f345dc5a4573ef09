"""Views of a feature map besides its mean: grids of parts, wavelet bands.

Pure functions without parameters: the pairing takes no gradient, so scales of
batch norms here would stay at 1.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

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
  batch, *sizes, features = feature_map.shape
  kernels, strides = zip(
    *(pooling_window(size, grid) for size in sizes), strict=True
  )
  cells = nnx.avg_pool(feature_map, kernels, strides=strides, padding='VALID')
  return cells.reshape(batch, grid * grid, features)


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
    Three arrays, float32 [B, ceil(H/2) ceil(W/2), C].
  """
  batch, height, width, features = feature_map.shape
  padding = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
  x = jnp.pad(feature_map, padding)
  # The four pixels of every 2 x 2 block. They are converted after they are
  # picked: a compiler for TPUs would first store the converted map as a whole.
  a, b, c, d = (
    x[:, row::2, column::2].astype(jnp.float32)
    for row in (0, 1)
    for column in (0, 1)
  )
  low_high, high_low, high_high = (
    band.reshape(batch, -1, features) / 2
    for band in (a + b - c - d, a - b + c - d, a - b - c + d)
  )
  return low_high, high_low, high_high
