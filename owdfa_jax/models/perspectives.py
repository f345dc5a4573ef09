"""Views of a feature map besides its mean: grids of parts, wavelet bands.

Nothing here has parameters: the pairing takes no gradient, so scales of batch
norms would stay at 1.
"""

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from owdfa_jax.models import batch_norm

# Mean and variance of each cell of a grid over the batch, float32 [P, C] each.
Moments = tuple[jax.Array, jax.Array]


@flax.struct.dataclass
class LocalViews:
  """The local views of a batch, as the feature map that they are made of.

  A small map has fewer bytes than its views: each position once, in the
  network's own type.

  Attributes:
    feature_map: [B, H, W, C], float32 or bfloat16.
    moments: the moments of each grid's cells, over the whole batch.
    grids: the grids' sides.
  """

  feature_map: jax.Array
  moments: tuple[Moments, ...]
  grids: tuple[int, ...] = flax.struct.field(pytree_node=False)

  @classmethod
  def of(cls, feature_map: jax.Array, grids: tuple[int, ...]) -> 'LocalViews':
    """Returns the views of a whole batch, whose moments it measures.

    Args:
      feature_map: [B, H, W, C].
      grids: the sides of the grids.
    """
    moments = tuple(
      batch_norm.moments(_cells(feature_map, grid), (0,)) for grid in grids
    )
    return cls(feature_map, moments, grids)

  def parts(self) -> tuple[jax.Array, ...]:
    """Returns each grid's cells, normalised, float32 [B, P, C]."""
    return tuple(
      batch_norm.standardise(_cells(self.feature_map, grid), *moments)
      for grid, moments in zip(self.grids, self.moments, strict=True)
    )

  def bands(self) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the wavelet's bands; see `haar_bands`."""
    return haar_bands(self.feature_map)


def _cells(feature_map: jax.Array, grid: int) -> jax.Array:
  """Returns the cells of a grid as they are, float32 [B, P, C]."""
  return average_pool(feature_map.astype(jnp.float32), grid)


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
