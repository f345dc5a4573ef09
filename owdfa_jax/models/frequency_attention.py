"""CAL's attention: where in the image do the telling frequencies lie?"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from owdfa_jax.models import perspectives

# Pixels of the map before it is brought to the feature map's size.
GRID = 8
_EXACT = jax.lax.Precision.HIGHEST


def cosine_matrix(size: int) -> np.ndarray:
  """The unnormalised DCT-II of a column, float64 [size, size]:
  X_k = 2 sum_n x_n cos(pi k (2 n + 1) / (2 size)).
  """
  frequency, position = np.ogrid[:size, :size]
  return 2 * np.cos(np.pi * frequency * (2 * position + 1) / (2 * size))


def _over_pixels(matrices: tuple[np.ndarray, ...], x: jax.Array) -> jax.Array:
  rows, columns = (jnp.asarray(m, jnp.float32) for m in matrices)
  return jnp.einsum('kh,bhwc,lw->bklc', rows, x, columns, precision=_EXACT)


def dct(images: jax.Array) -> jax.Array:
  """Two-dimensional DCT-II, unnormalised, of float32 [B, H, W, C].

  Two matrix products: what an accelerator does best, and at these sizes no
  slower than a fast transform.
  """
  _, height, width, _ = images.shape
  return _over_pixels((cosine_matrix(height), cosine_matrix(width)), images)


def inverse_dct(spectrum: jax.Array) -> jax.Array:
  """The inverse of `dct`."""
  _, height, width, _ = spectrum.shape
  inverses = tuple(np.linalg.inv(cosine_matrix(n)) for n in (height, width))
  return _over_pixels(inverses, spectrum)


class FrequencyAttention(nnx.Module):
  """Weighs the spectrum of an image and shows where in it the rest lies.

  M = sigmoid(conv(relu(conv(DCT(x))))), A = sigmoid(mean over channels of
  IDCT(M * DCT(x))), pooled. All float32: the lowest frequency of a spectrum is
  thousands of times the others.
  """

  def __init__(self, *, rngs: nnx.Rngs) -> None:
    self.hidden = nnx.Conv(3, 16, (3, 3), precision=_EXACT, rngs=rngs)
    self.gate = nnx.Conv(16, 1, (3, 3), precision=_EXACT, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """Maps normalised images [B, H, W, 3] to [B, 8, 8, 1] in (0, 1)."""
    spectrum = dct(images.astype(jnp.float32))
    chosen = nnx.sigmoid(self.gate(nnx.relu(self.hidden(spectrum))))
    place = inverse_dct(spectrum * chosen).mean(-1, keepdims=True)
    pooled = perspectives.average_pool(nnx.sigmoid(place), GRID)
    return pooled.reshape(len(images), GRID, GRID, 1)


def apply(attention: jax.Array, feature_map: jax.Array) -> jax.Array:
  """Weighs [B, h, w, C] by an attention map [B, 8, 8, 1] of the images."""
  batch, height, width, _ = feature_map.shape
  resized = jax.image.resize(
    attention, (batch, height, width, 1), 'bilinear', antialias=False
  )
  return feature_map * resized
