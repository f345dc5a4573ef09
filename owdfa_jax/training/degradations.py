"""What images suffer on their way, as augmentation: resizing, noise, JPEG."""

import flax.struct
import jax
import jax.numpy as jnp

from owdfa_jax.training import jpeg
from owdfa_jax.training.views import View

_EXACT = jax.lax.Precision.HIGHEST


@flax.struct.dataclass
class Degradations:
  """The degradations drawn for B images; None for those that a view lacks.

  Attributes:
    factor: float32 [B], the share of the side that shrinking leaves; 1 for rows
      that stay as they are.
    noise: float32 [B, S, S, 3], of standard deviation 1.
    noise_strength: float32 [B], in grey levels.
    quality: float32 [B], of the JPEG; 0 for none.
  """

  factor: jax.Array | None
  noise: jax.Array | None
  noise_strength: jax.Array | None
  quality: jax.Array | None


def draw_degradations(
  key: jax.Array, num: int, size: int, view: View
) -> Degradations | None:
  """Draws the degradations of `num` images of `size` pixels.

  All values are uniform in their ranges. Returns None if the view has none.
  """
  if not (view.resize or view.noise or view.jpeg):
    return None
  keys = jax.random.split(key, 7)
  ranges = view.ranges
  factor = noise = strength = quality = None
  if view.resize:
    drawn = jax.random.bernoulli(keys[0], view.resize, (num,))
    factor = jax.random.uniform(keys[1], (num,), minval=ranges.smallest_resize)
    factor = jnp.where(drawn, factor, 1)
  if view.noise:
    drawn = jax.random.bernoulli(keys[2], view.noise, (num,))
    strength = ranges.largest_noise * jax.random.uniform(keys[3], (num,))
    strength = jnp.where(drawn, strength, 0)
    noise = jax.random.normal(keys[4], (num, size, size, 3))
  if view.jpeg:
    drawn = jax.random.bernoulli(keys[5], view.jpeg, (num,))
    quality = jax.random.randint(
      keys[6], (num,), ranges.lowest_quality, ranges.highest_quality + 1
    )
    quality = jnp.where(drawn, quality, 0).astype(jnp.float32)
  return Degradations(
    factor=factor, noise=noise, noise_strength=strength, quality=quality
  )


def degrade_images(draws: Degradations, images: jax.Array) -> jax.Array:
  """Applies drawn degradations: resizing, noise, JPEG.

  Args:
    draws: the degradations of each image.
    images: float32 [B, S, S, 3], whole grey levels 0..255.

  Returns:
    float32 [B, S, S, 3], whole grey levels.
  """
  if draws.factor is not None:
    images = resize_and_back(images, draws.factor)
  if draws.noise is not None and draws.noise_strength is not None:
    images = add_noise(images, draws.noise, draws.noise_strength)
  if draws.quality is not None:
    # Every row is compressed, and `where` keeps the rows that were drawn.
    drawn = (draws.quality > 0)[:, None, None, None]
    images = jnp.where(drawn, jpeg.compress(images, draws.quality), images)
  return images


def shift(images: jax.Array, by: jax.Array) -> jax.Array:
  """Shifts images by whole pixels; mirrors what comes in at the border.

  No pixel is interpolated, so that traces stay what they are.

  Args:
    images: float32 [B, S, S, C], whole grey levels 0..255.
    by: int32 [B, 2], pixels down and right, each below S.

  Returns:
    float32 [B, S, S, C].
  """
  size = images.shape[1]
  # Products with matrices of 0 and 1, since accelerators gather slowly; they
  # are exact for whole grey levels at any precision.
  source = jnp.abs(jnp.arange(size) - by[..., None])
  source = jnp.minimum(source, 2 * (size - 1) - source)
  rows, columns = jnp.moveaxis(jax.nn.one_hot(source, size), 1, 0)
  return apply_matrices(rows, columns, images)


def resize_and_back(images: jax.Array, factor: jax.Array) -> jax.Array:
  """Shrinks images and enlarges them to their size again.

  Both are bilinear; the shrinking averages over all pixels, as Pillow's does.

  Args:
    images: float32 [B, S, S, C], grey levels 0..255.
    factor: float32 [B], the share of the side that is left, up to 1.

  Returns:
    float32 [B, S, S, C], whole grey levels.
  """
  size = images.shape[1]
  small = jnp.round(factor * size)[:, None, None]
  new, old = jnp.arange(size)[:, None], jnp.arange(size)
  ratio = size / small
  distance = jnp.abs((new + 0.5) * ratio - 0.5 - old) / ratio
  weights = jnp.where(new < small, jnp.maximum(1 - distance, 0), 0)
  shrink = weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-6)
  centre = jnp.clip((new + 0.5) / ratio - 0.5, 0, small - 1)
  enlarge = jnp.maximum(1 - jnp.abs(centre - old), 0)
  for matrix in (shrink, enlarge):
    images = jnp.round(apply_matrices(matrix, matrix, images))
  return images


def apply_matrices(
  rows: jax.Array, columns: jax.Array, images: jax.Array
) -> jax.Array:
  """Multiplies each image by matrices of its own.

  Args:
    rows: [B, k, h], acts on columns of pixels.
    columns: [B, l, w], acts on rows of pixels.
    images: [B, h, w, C].

  Returns:
    [B, k, l, C].
  """
  images = jnp.einsum('bkh,bhwc->bkwc', rows, images, precision=_EXACT)
  return jnp.einsum('blw,bkwc->bklc', columns, images, precision=_EXACT)


def add_noise(
  images: jax.Array, noise: jax.Array, strength: jax.Array
) -> jax.Array:
  """Adds noise and rounds to whole grey levels.

  Args:
    images: float32 [B, S, S, C], grey levels 0..255.
    noise: float32 [B, S, S, C], of standard deviation 1.
    strength: float32 [B], its standard deviation in grey levels.

  Returns:
    float32 [B, S, S, C], whole grey levels 0..255.
  """
  noisy = images + noise * strength[:, None, None, None]
  return jnp.clip(jnp.round(noisy), 0, 255)
