"""CAL's attention map, made from the frequencies of an image.

References:
  Zheng et al., Open-World Deepfake Attribution via Confidence-Aware Asymmetric
  Learning, AAAI 2026.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from owdfa_jax.models import perspectives
from owdfa_jax.models.pixel_matrices import multiply_pixels

# Cells of the map before it is resized to the feature map.
GRID = 8
_EXACT = jax.lax.Precision.HIGHEST


def cosine_matrix(size: int) -> np.ndarray:
  """Returns the unnormalised DCT-II of a column, float64 [size, size].

  X_k = 2 sum_n x_n cos(pi k (2 n + 1) / (2 size)).
  """
  frequency, position = np.ogrid[:size, :size]
  return 2 * np.cos(np.pi * frequency * (2 * position + 1) / (2 * size))


def dct(images: jax.Array) -> jax.Array:
  """Computes the unnormalised DCT-II of images, float32 [B, H, W, C]."""
  _, height, width, _ = images.shape
  return multiply_pixels(cosine_matrix(height), cosine_matrix(width), images)


def inverse_dct(spectrum: jax.Array) -> jax.Array:
  """Computes the inverse of `dct`."""
  _, height, width, _ = spectrum.shape
  return multiply_pixels(
    np.linalg.inv(cosine_matrix(height)),
    np.linalg.inv(cosine_matrix(width)),
    spectrum,
  )


class FrequencyAttention(nnx.Module):
  """Filters the spectrum of an image, and maps where the result is strong.

  M = sigmoid(conv(relu(conv(DCT(x))))), A = sigmoid(mean over channels of
  IDCT(M DCT(x))), pooled to 8 x 8 cells. All is float32: the lowest frequency
  of a spectrum is thousands of times the others.
  """

  def __init__(self, channels: int = 3, *, rngs: nnx.Rngs) -> None:
    self.hidden = nnx.Conv(channels, 16, (3, 3), precision=_EXACT, rngs=rngs)
    self.gate = nnx.Conv(16, 1, (3, 3), precision=_EXACT, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """Maps the network's input [B, H, W, C] to [B, 8, 8, 1] in (0, 1)."""
    spectrum = dct(images.astype(jnp.float32))
    # One mask for all channels.
    mask = nnx.sigmoid(self.gate(nnx.relu(self.hidden(spectrum))))
    filtered = inverse_dct(spectrum * mask).mean(-1, keepdims=True)
    # As `perspectives.average_pool`, but as matrix products: the gradient of a
    # window of 32 x 32 pixels over one channel is costly on a TPU.
    _, height, width, _ = filtered.shape
    return multiply_pixels(
      perspectives.pooling_matrix(height, GRID),
      perspectives.pooling_matrix(width, GRID),
      nnx.sigmoid(filtered),
    )


def weigh_feature_map(
  attention: jax.Array, feature_map: jax.Array
) -> jax.Array:
  """Multiplies features by an attention map of any size.

  Args:
    attention: float32 [B, 8, 8, 1].
    feature_map: float32 [B, h, w, C].

  Returns:
    float32 [B, h, w, C].
  """
  batch, height, width, _ = feature_map.shape
  # Without antialiasing, as PyTorch resizes.
  resized = jax.image.resize(
    attention, (batch, height, width, 1), 'bilinear', antialias=False
  )
  return feature_map * resized
