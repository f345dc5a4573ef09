"""A branch on the local spectrum of an image: features beside the backbone's.

What a generator's last layers do to neighbouring pixels shows in the spectrum
of any patch. Averaged over windows (Welch's method), it does not depend on the
size of the image, and what the image shows averages out.

References:
  Welch, The Use of Fast Fourier Transform for the Estimation of Power Spectra,
  IEEE Transactions on Audio and Electroacoustics, 1967.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from owdfa_jax.models.batch_norm import BatchNorm, standardise
from owdfa_jax.models.front_end import spectrum_input
from owdfa_jax.models.transposes import transpose_slices

# The side of a window in pixels; windows overlap by half.
WINDOW = 32
# Added to the power before the logarithm. Rounding to whole grey levels alone
# gives a power of a quarter of it.
FLOOR = 0.01
HIDDEN = 256
PROJECTION_SEED = 0
_EXACT = jax.lax.Precision.HIGHEST


def window_side(image_size: int) -> int:
  """Returns the side of the windows for images of a size: 32, or less."""
  return 2 * (min(WINDOW, image_size) // 2)


def spectrum_shape(image_size: int) -> tuple[int, int, int, int]:
  """Returns the shape of what `local_spectrum` makes of an RGB image."""
  frequencies = window_side(image_size) // 2 + 1
  return 3, 2, frequencies, frequencies


def window_matrices(image_size: int) -> np.ndarray:
  """Returns the Fourier transforms of the windows of a column of pixels.

  The windows are Hann's. White noise of variance 1 gives a power of 1.

  Args:
    image_size: S, pixels of the column.

  Returns:
    float64 [2, windows, F, S], cosines and sines, with F = side / 2 + 1.
  """
  side = window_side(image_size)
  window = np.hanning(side)
  window /= np.sqrt(np.sum(window**2))
  frequency, position = np.ogrid[: side // 2 + 1, :side]
  angle = 2 * np.pi * frequency * position / side
  starts = range(0, image_size - side + 1, side // 2)
  matrices = np.zeros((2, len(starts), side // 2 + 1, image_size))
  for number, start in enumerate(starts):
    columns = slice(start, start + side)
    matrices[0, number, :, columns] = np.cos(angle) * window
    matrices[1, number, :, columns] = np.sin(angle) * window
  return matrices


def local_spectrum(images: jax.Array) -> jax.Array:
  """Computes the logarithm of the power, averaged over the windows of an image.

  The logarithm comes before the average, so that a few windows with strong
  edges do not outweigh the others.

  Args:
    images: float32 [B, S, S, C].

  Returns:
    float32 [B, C, 2, F, F] with F = side / 2 + 1: [:, :, 0, u, v] for waves of
    u and v periods down and across a window, [:, :, 1, u, v] for those that go
    the other way across. Mirroring an image exchanges the two.
  """
  matrices = window_matrices(images.shape[1])
  # Four products for cosines and sines down and across. Slices of one product
  # of all would be strided, which takes a processor three times as long.
  columns = transpose_slices(images, (0, 3, 2, 1), along=2)
  down = [_transform(columns, m).transpose(0, 1, 3, 4, 2) for m in matrices]
  (cos_cos, cos_sin), (sin_cos, sin_sin) = (
    [_transform(x, m) for m in matrices] for x in down
  )
  power = [
    jnp.square(cos_cos - sign * sin_sin) + jnp.square(cos_sin + sign * sin_cos)
    for sign in (1, -1)
  ]
  # Each is [B, C, windows, F, windows, F].
  return jnp.stack([jnp.log(each + FLOOR).mean((2, 4)) for each in power], 2)


def _transform(x: jax.Array, matrix: np.ndarray) -> jax.Array:
  """Multiplies the last axis: [..., S] and [windows, F, S] to [..., w, F]."""
  num_windows, num_frequencies, size = matrix.shape
  flat = jnp.asarray(matrix.reshape(-1, size).T, jnp.float32)
  product = jnp.matmul(x.reshape(-1, size), flat, precision=_EXACT)
  return product.reshape(*x.shape[:-1], num_windows, num_frequencies)


class SpectrumBranch(nnx.Module):
  """Maps the local spectrum of the residual to features.

  Some are trained, by two layers. Trained features forget what no label needs;
  fixed random projections of the spectrum keep it for the discovery of sources.

  Attributes:
    num_features: D, trained features.
    num_projections: P, fixed projections.
    front_end: a key of `front_end.FRONT_ENDS`, which decides on the residual.
  """

  def __init__(
    self,
    image_size: int,
    num_features: int,
    num_projections: int = 0,
    *,
    front_end: str = 'residual',
    rngs: nnx.Rngs,
  ) -> None:
    """Builds the branch.

    Args:
      image_size: S, side of the images in pixels.
      num_features: D, trained features; 0 for none.
      num_projections: P, fixed projections; 0 for none.
      front_end: a key of `front_end.FRONT_ENDS`; says whether the residual is
        scaled.
      rngs: source of the initial parameters.
    """
    size = math.prod(spectrum_shape(image_size))
    linear = functools.partial(
      nnx.Linear, use_bias=False, precision=_EXACT, rngs=rngs
    )
    self.num_features = num_features
    self.num_projections = num_projections
    self.front_end = front_end
    self.bn0 = BatchNorm(size)
    if num_features:
      self.fc1 = linear(size, HIDDEN)
      self.bn1 = BatchNorm(HIDDEN)
      self.fc2 = linear(HIDDEN, num_features)

  def __call__(
    self, images: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Computes the trained features and the fixed projections.

    Args:
      images: grey levels, uint8 or float32 [B, S, S, 3], 0..255.
      train: use and update the batch statistics.

    Returns:
      float32 [B, D] and [B, P]. Training computes no projections: [B, 0].
    """
    seen = spectrum_input(images, self.front_end)
    # `len` would need a number; an exported network takes any batch size.
    spectrum = local_spectrum(seen).reshape(images.shape[0], -1)
    x = self.bn0(spectrum, train=train)
    features = x[:, :0]
    if self.num_features:
      x = nnx.relu(self.bn1(self.fc1(x), train=train))
      features = self.fc2(x)
    projections = features[:, :0] if train else self._project(spectrum)
    return features, projections

  def _project(self, spectrum: jax.Array) -> jax.Array:
    """Projects spectra [B, n], standardised, to `num_projections` numbers."""
    standard = standardise(spectrum, self.bn0.mean[...], self.bn0.var[...])
    # The same in every run: nothing of it is in a checkpoint. A projection of
    # numbers of variance 1 by a column of length 1 has about variance 1.
    shape = (spectrum.shape[1], self.num_projections)
    # NumPy promises that these draws stay the same in later versions.
    draws = np.random.RandomState(PROJECTION_SEED).standard_normal(shape)
    matrix = jnp.asarray(draws / math.sqrt(shape[0]), jnp.float32)
    return jnp.matmul(standard, matrix, precision=_EXACT)
