"""The front end: from an image's grey levels to the network's input.

A generator's trace lies in faint differences between neighbouring pixels, and
most of what an image shows is not trace. A residual, the image without its
smooth part, leaves the differences. Everything here acts on each image alone,
and runs on the devices inside the compiled step.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Of the residual: the blur, in pixels; the grey levels that become 1, about the
# residual's spread in a photograph; the largest value, which edges reach.
RESIDUAL_SIGMA = 1.0
RESIDUAL_UNIT = 6.0
RESIDUAL_LIMIT = 8.0
# Of the scaled residual: the spread below which an image counts as flat, whose
# residual is mostly rounding, in units of the residual; the largest value.
FLAT_SPREAD = 0.15
SCALED_LIMIT = 6.0
# Pixels of a blur's kernel to each side, in sigmas, as OpenCV and SciPy do.
_REACH = 4


def normalise(
  images: jax.Array,
  mean: Sequence[float] = IMAGENET_MEAN,
  std: Sequence[float] = IMAGENET_STD,
) -> jax.Array:
  """Maps grey levels [..., 3] to float32 (x / 255 - mean) / std."""
  scaled = images.astype(jnp.float32) / 255
  return (scaled - jnp.array(mean)) / jnp.array(std)


def residual(images: jax.Array, sigma: float = RESIDUAL_SIGMA) -> jax.Array:
  """Subtracts a blurred copy: clip((x - blur(x)) / 6, -8, 8).

  Args:
    images: [B, H, W, C], grey levels 0..255.
    sigma: standard deviation of the blur, in pixels.

  Returns:
    float32 [B, H, W, C]; 1 stands for 6 grey levels.
  """
  images = images.astype(jnp.float32)
  scaled = (images - gaussian_blur(images, sigma)) / RESIDUAL_UNIT
  return jnp.clip(scaled, -RESIDUAL_LIMIT, RESIDUAL_LIMIT)


def scaled_residual(images: jax.Array) -> jax.Array:
  """Divides an image's residual by its spread: clip(r / (s + 0.15), -6, 6).

  A change of the image's contrast hardly changes the result. With s the root
  mean square of the residual r over all pixels and channels, the residual of an
  image of any contrast has a spread of about 1; of a flat one, less.

  Args:
    images: [B, H, W, C], grey levels 0..255.

  Returns:
    float32 [B, H, W, C].
  """
  unscaled = residual(images)
  square = jnp.square(unscaled)
  # Adding the mirrored squares first makes the sum of an image equal that of
  # its mirror image, bit for bit.
  mean_square = ((square + square[:, :, ::-1]) / 2).mean((1, 2, 3))
  mean_square = mean_square[:, None, None, None]
  scaled = unscaled / (jnp.sqrt(mean_square) + FLAT_SPREAD)
  return jnp.clip(scaled, -SCALED_LIMIT, SCALED_LIMIT)


def gaussian_blur(images: jax.Array, sigma: float) -> jax.Array:
  """Blurs along both axes; the image is mirrored beyond its outermost pixels.

  Equals OpenCV's `GaussianBlur` of float32 images. A mirrored image gives the
  mirrored result, bit for bit.

  Args:
    images: float32 [B, H, W, C].
    sigma: standard deviation in pixels, above 0.

  Returns:
    float32 [B, H, W, C].
  """
  reach = round(_REACH * sigma)
  weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
  weights /= weights[0] + 2 * weights[1:].sum()
  # Sums of shifted images: on a processor XLA takes 10 to 20 times as long for
  # a depthwise convolution. Adding the two neighbours at a distance first makes
  # the result independent of the direction.
  for axis in (1, 2):
    images = _blur_axis(images, axis, weights)
  return images


def _blur_axis(images: jax.Array, axis: int, weights: np.ndarray) -> jax.Array:
  """Blurs along an axis by a symmetric kernel, given from its centre on."""
  size, reach = images.shape[axis], len(weights) - 1
  padding = [(0, 0)] * images.ndim
  padding[axis] = (reach, reach)
  padded = jnp.pad(images, padding, mode='reflect')

  def shifted(by: int) -> jax.Array:
    return jax.lax.slice_in_dim(
      padded, reach + by, reach + by + size, axis=axis
    )

  blurred = float(weights[0]) * images
  for by in range(1, reach + 1):
    blurred += float(weights[by]) * (shifted(-by) + shifted(by))
  return blurred


# By name, the maps whose channels the network gets, three from each.
FRONT_ENDS = {
  'rgb': ('rgb',),
  'residual': ('residual',),
  'scaled_residual': ('scaled_residual',),
  'both': ('rgb', 'residual'),
}


def num_channels(front_end: str) -> int:
  """Returns the number of channels of a front end, a key of `FRONT_ENDS`."""
  return 3 * len(FRONT_ENDS[front_end])


def spectrum_input(images: jax.Array, front_end: str) -> jax.Array:
  """Computes what the branch on the local spectrum sees.

  Args:
    images: uint8 or float32 [B, S, S, 3], grey levels 0..255.
    front_end: a key of `FRONT_ENDS`.

  Returns:
    float32 [B, S, S, 3]: the residual, scaled if the front end scales it.
  """
  if 'scaled_residual' in FRONT_ENDS[front_end]:
    return scaled_residual(images)
  return residual(images)


def network_input(
  images: jax.Array,
  front_end: str,
  mean: Sequence[float] = IMAGENET_MEAN,
  std: Sequence[float] = IMAGENET_STD,
) -> jax.Array:
  """Computes the network's input.

  Args:
    images: uint8 or float32 [B, S, S, 3], grey levels 0..255.
    front_end: a key of `FRONT_ENDS`.
    mean: what the backbone expects to be subtracted from RGB in 0..1.
    std: what it expects RGB to be divided by then.

  Returns:
    float32 [B, S, S, channels].
  """
  maps = {
    'rgb': lambda: normalise(images, mean, std),
    'residual': lambda: residual(images),
    'scaled_residual': lambda: scaled_residual(images),
  }
  return jnp.concatenate([maps[name]() for name in FRONT_ENDS[front_end]], -1)
