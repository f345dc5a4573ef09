"""JPEG on the devices: what encoding and decoding does to an image.

Only what loses something is computed: colours, halved chroma, the cosine
transform and its quantisation. The lossless rest of a file is left out.

References:
  ITU-T T.81, Digital Compression and Coding of Continuous-Tone Still Images,
  1992; the tables of its annex K, scaled by quality as libjpeg does.
"""

import jax
import jax.numpy as jnp
import numpy as np

from owdfa_jax.models.pixel_matrices import multiply_pixels

BLOCK = 8
LUMA_TABLE = (
  (16, 11, 10, 16, 24, 40, 51, 61),
  (12, 12, 14, 19, 26, 58, 60, 55),
  (14, 13, 16, 24, 40, 57, 69, 56),
  (14, 17, 22, 29, 51, 87, 80, 62),
  (18, 22, 37, 56, 68, 109, 103, 77),
  (24, 35, 55, 64, 81, 104, 113, 92),
  (49, 64, 78, 87, 103, 121, 120, 101),
  (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
  (17, 18, 24, 47, 99, 99, 99, 99),
  (18, 21, 26, 66, 99, 99, 99, 99),
  (24, 26, 56, 99, 99, 99, 99, 99),
  (47, 66, 99, 99, 99, 99, 99, 99),
  *((99, 99, 99, 99, 99, 99, 99, 99),) * 4,
)
_TO_YCC = np.array(
  [
    [0.299, 0.587, 0.114],
    [-0.168735892, -0.331264108, 0.5],
    [0.5, -0.418687589, -0.081312411],
  ]
)


def compress(images: jax.Array, quality: jax.Array) -> jax.Array:
  """Encodes images as JPEG with halved chroma, and decodes them.

  Within a grey level or two of libjpeg, whose arithmetic is fixed-point.

  Args:
    images: float32 [B, S, S, 3], whole grey levels 0..255.
    quality: float32 [B], whole numbers 1..100, as libjpeg means them.

  Returns:
    float32 [B, S, S, 3], whole grey levels.
  """
  size = images.shape[1]
  # Whole blocks of chroma, which has half the pixels.
  padded = _pad(images, -size % (2 * BLOCK))
  exact = jax.lax.Precision.HIGHEST
  ycc = jnp.matmul(padded, jnp.float32(_TO_YCC.T), precision=exact)
  ycc = jnp.round(ycc + jnp.float32([0, 128, 128]))
  luma = quantise_blocks(ycc[..., :1], scaled_table(LUMA_TABLE, quality))
  chroma = quantise_blocks(
    _halve(ycc[..., 1:]), scaled_table(CHROMA_TABLE, quality)
  )
  half = -(-size // 2)
  chroma = _double(chroma[:, :half, :half])[:, :size, :size] - 128
  luma = luma[:, :size, :size, 0]
  blue, red = chroma[..., 0], chroma[..., 1]
  decoded = jnp.stack(
    [
      luma + jnp.round(1.402 * red),
      luma - jnp.round(0.344136286 * blue + 0.714136286 * red),
      luma + jnp.round(1.772 * blue),
    ],
    -1,
  )
  return jnp.clip(decoded, 0, 255)


def scaled_table(
  table: tuple[tuple[int, ...], ...], quality: jax.Array
) -> jax.Array:
  """Returns a quantisation table for each quality [B], float32 [B, 8, 8]."""
  scale = jnp.where(
    quality < 50, jnp.floor(5000 / jnp.maximum(quality, 1)), 200 - 2 * quality
  )
  scaled = jnp.float32(table) * scale[:, None, None]
  return jnp.clip(jnp.floor((scaled + 50) / 100), 1, 255)


def quantise_blocks(x: jax.Array, table: jax.Array) -> jax.Array:
  """Quantises the cosine transform of each block of 8 x 8 pixels.

  Args:
    x: float32 [B, S, S, C], 0..255; 8 divides S.
    table: float32 [B, 8, 8].

  Returns:
    float32 [B, S, S, C], whole numbers 0..255.
  """
  blocks = x.shape[1] // BLOCK
  # One matrix for all blocks, mostly zeros: a processor multiplies large
  # matrices faster than many small ones.
  transform = np.kron(np.eye(blocks), _cosines())
  steps = jnp.tile(table, (1, blocks, blocks))[..., None]
  coefficients = multiply_pixels(transform, transform, x - 128)
  # A coefficient often lies in the middle of two steps, but for the rounding of
  # float32. libjpeg then takes the step that is further from 0.
  numbers = jnp.floor(jnp.abs(coefficients) / steps + 0.5 + 1e-4)
  coefficients = steps * jnp.sign(coefficients) * numbers
  x = multiply_pixels(transform.T, transform.T, coefficients)
  return jnp.clip(jnp.round(x) + 128, 0, 255)


def _cosines() -> np.ndarray:
  """Returns the orthonormal DCT-II of 8 numbers, float64 [8, 8]."""
  frequency, position = np.ogrid[:BLOCK, :BLOCK]
  matrix = np.cos(np.pi * frequency * (2 * position + 1) / (2 * BLOCK))
  matrix[0] /= np.sqrt(2)
  return matrix * np.sqrt(2 / BLOCK)


def _pad(images: jax.Array, by: int) -> jax.Array:
  """Repeats the last row and the last column, as libjpeg does."""
  return jnp.pad(images, ((0, 0), (0, by), (0, by), (0, 0)), mode='edge')


def _halve(x: jax.Array) -> jax.Array:
  """Averages 2 x 2 pixels; halves are rounded up and down in turn."""
  total = x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]
  odd = jnp.arange(total.shape[2]) % 2
  return jnp.floor((total + 1 + odd[:, None]) / 4)


def _double(x: jax.Array) -> jax.Array:
  """Doubles each side; a pixel is three quarters of the nearest old one."""
  size = x.shape[1]
  matrix = np.zeros((2 * size, size))
  for new in range(2 * size):
    old, other = new // 2, new // 2 + (1 if new % 2 else -1)
    matrix[new, old] += 0.75
    matrix[new, min(max(other, 0), size - 1)] += 0.25
  odd = jnp.arange(2 * size) % 2
  doubled = multiply_pixels(matrix, matrix, x)
  return jnp.floor(doubled + (8 - odd[:, None]) / 16)
