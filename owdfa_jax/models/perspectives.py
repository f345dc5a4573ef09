"""Views of a feature map besides its mean: grids of parts, wavelet bands.

Pure functions without parameters: pairing detaches these views, so scales of
their batch norms would stay at 1 for ever.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax.models import batch_norm


def pooling_window(size: int, grid: int) -> tuple[int, int]:
  """(kernel, stride) that pools `size` pixels to `grid` cells of equal size.

  stride = floor(size / grid), kernel = size - (grid - 1) stride: the windows
  overlap where the grid does not divide the size. Needs size >= grid.
  """
  stride = size // grid
  return size - (grid - 1) * stride, stride


def average_pool(feature_map: jax.Array, grid: int) -> jax.Array:
  """Pools [B, H, W, C] to [B, grid * grid, C], cells row by row."""
  batch, *sizes, features = feature_map.shape
  kernels, strides = zip(
    *(pooling_window(size, grid) for size in sizes), strict=True
  )
  cells = nnx.avg_pool(feature_map, kernels, strides=strides, padding='VALID')
  return cells.reshape(batch, grid * grid, features)


def normalise_cells(parts: jax.Array) -> jax.Array:
  """Normalises each cell of [B, P, C] over the batch, by its own statistics."""
  return batch_norm.standardise(parts, *batch_norm.moments(parts, (0,)))


def haar_bands(
  feature_map: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Detail bands LH, HL, HH of one level of the Haar wavelet.

  Maps [B, H, W, C] to three [B, ceil(H/2) ceil(W/2), C]. A block [[a, b],
  [c, d]] gives (a+b-c-d)/2, (a-b+c-d)/2, (a-b-c+d)/2; an odd size is padded
  with zeros at its far end.
  """
  batch, height, width, features = feature_map.shape
  padding = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
  x = jnp.pad(feature_map, padding)
  a, b = x[:, ::2, ::2], x[:, ::2, 1::2]
  c, d = x[:, 1::2, ::2], x[:, 1::2, 1::2]
  low_high, high_low, high_high = (
    band.reshape(batch, -1, features) / 2
    for band in (a + b - c - d, a - b + c - d, a - b - c + d)
  )
  return low_high, high_low, high_high
