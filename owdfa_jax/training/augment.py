"""Random views of images, computed on the devices inside the step.

Drawing the transforms is separate from applying them, so that tests can apply
chosen ones. There is one draw per row of the global batch, whichever device the
row is on, so the result does not depend on the number of devices.
"""

import functools

import flax.struct
import jax
import jax.numpy as jnp

from owdfa_jax.random_keys import further_key
from owdfa_jax.training.degradations import (
  Degradations,
  degrade_images,
  draw_degradations,
  shift,
)
from owdfa_jax.training.views import View

# The papers resize a crop to 292 pixels, and that to 256.
ENLARGEMENT = 292 / 256
# Share of the area and aspect ratio of a random crop; draws until one fits.
CROP_SCALE = (0.5, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)
CROP_TRIES = 10


@flax.struct.dataclass
class Draws:
  """The transforms drawn for B images.

  Attributes:
    flip: bool [B], whether to mirror.
    crop: bool [B], whether to crop.
    box: float32 [B, 4], the crop in whole pixels: top, left, height, width.
    contrast: float32 [B], a factor.
    brightness: float32 [B], grey levels to add.
    shift: int32 [B, 2], pixels down and right; None for none.
    degradations: what follows, if anything.
  """

  flip: jax.Array
  crop: jax.Array
  box: jax.Array
  contrast: jax.Array
  brightness: jax.Array
  shift: jax.Array | None = None
  degradations: Degradations | None = None


def random_view(key: jax.Array, images: jax.Array, view: View) -> jax.Array:
  """Returns a random view of each image.

  Args:
    key: determines the transforms.
    images: uint8 [B, S, S, 3].
    view: the transforms and their probabilities.

  Returns:
    float32 [B, S, S, 3], whole grey levels 0..255.
  """
  num, size = images.shape[:2]
  draws = draw_transforms(key, num, size, view)
  return apply_transforms(draws, images, view)


def draw_transforms(key: jax.Array, num: int, size: int, view: View) -> Draws:
  """Draws the transforms of `num` square images of `size` pixels."""
  keys = jax.random.split(key, 6)
  jitter = jax.random.bernoulli(keys[3], view.jitter, (num,))
  contrast = view.strength * jax.random.uniform(keys[4], (num,), minval=-1)
  brightness = view.strength * jax.random.uniform(keys[5], (num,), minval=-1)
  # Keys of their own, so that the draws above stay those of the papers' views.
  shift_key, degradation_key = jax.random.split(further_key(key))
  return Draws(
    flip=jax.random.bernoulli(keys[0], view.flip, (num,)),
    crop=jax.random.bernoulli(keys[1], view.crop, (num,)),
    box=draw_boxes(keys[2], num, size, size),
    contrast=1 + jnp.where(jitter, contrast, 0),
    brightness=255 * jnp.where(jitter, brightness, 0),
    shift=draw_shifts(shift_key, num, size, view) if view.shift else None,
    degradations=draw_degradations(degradation_key, num, size, view),
  )


def draw_shifts(key: jax.Array, num: int, size: int, view: View) -> jax.Array:
  """Draws shifts in whole pixels, int32 [B, 2], 0 for rows that stay."""
  draw_key, which_key = jax.random.split(key)
  largest = round(view.ranges.largest_shift * size)
  pixels = jax.random.randint(draw_key, (num, 2), -largest, largest + 1)
  return pixels * jax.random.bernoulli(which_key, view.shift, (num, 1))


def draw_boxes(key: jax.Array, num: int, height: int, width: int) -> jax.Array:
  """Draws the boxes of random resized crops.

  The share of the area is uniform, the aspect ratio log-uniform. The first of
  ten draws that fits into the image counts; if none fits, the whole image.

  Args:
    key: determines the boxes.
    num: B, how many boxes.
    height: the height of the image, in pixels.
    width: the width of the image, in pixels.

  Returns:
    float32 [B, 4], whole pixels: top, left, height, width.
  """
  area_key, ratio_key, corner_key = jax.random.split(key, 3)
  tries = (num, CROP_TRIES)
  scale = jax.random.uniform(
    area_key, tries, minval=CROP_SCALE[0], maxval=CROP_SCALE[1]
  )
  low, high = jnp.log(jnp.array(CROP_RATIO))
  ratio = jnp.exp(jax.random.uniform(ratio_key, tries, minval=low, maxval=high))
  area = scale * (height * width)
  sizes = jnp.round(jnp.sqrt(jnp.stack([area / ratio, area * ratio], -1)))
  limits = jnp.array([height, width], jnp.float32)
  fits = jnp.all(sizes <= limits, -1)
  first = jnp.argmax(fits, 1)[:, None, None]
  size = jnp.where(
    fits.any(1)[:, None], jnp.take_along_axis(sizes, first, 1)[:, 0], limits
  )
  room = limits - size
  corner = jnp.floor(jax.random.uniform(corner_key, (num, 2)) * (room + 1))
  return jnp.concatenate([corner, size], -1)


def apply_transforms(draws: Draws, images: jax.Array, view: View) -> jax.Array:
  """Applies drawn transforms: flip, crop, colour, resize, then degradations.

  Args:
    draws: the transforms of each image.
    images: [B, S, S, 3], whole grey levels 0..255.
    view: transforms of probability 0 are left out of the program.

  Returns:
    float32 [B, S, S, 3], whole grey levels 0..255.
  """
  images = _flip_crop_colour(draws, images.astype(jnp.float32), view)
  if draws.degradations is None:
    return images
  return degrade_images(draws.degradations, images)


def _flip_crop_colour(draws: Draws, images: jax.Array, view: View) -> jax.Array:
  """Applies the transforms that the papers have, and shifts."""
  size = images.shape[1]
  rows = (-1, 1, 1, 1)
  if view.flip:
    flip = draws.flip.reshape(rows)
    images = jnp.where(flip, images[:, :, ::-1], images)
  if draws.shift is not None:
    images = shift(images, draws.shift)
  adjusted = images
  if view.jitter:
    adjusted = adjust_colour(images, draws.contrast, draws.brightness)
  if not view.crop:
    return adjusted
  # Every row is cropped, and `where` keeps the rows that were drawn: a program
  # has one shape, whichever rows those are.
  enlarged = round(size * ENLARGEMENT)
  cropped = crop_and_resize(images, draws.box, enlarged)
  if view.jitter:
    cropped = adjust_colour(cropped, draws.contrast, draws.brightness)
  whole = jnp.tile(jnp.float32([0, 0, enlarged, enlarged]), (len(images), 1))
  cropped = crop_and_resize(cropped, whole, size)
  return jnp.where(draws.crop.reshape(rows), cropped, adjusted)


def adjust_colour(
  images: jax.Array, contrast: jax.Array, brightness: jax.Array
) -> jax.Array:
  """Multiplies by the contrast, then adds the brightness.

  Args:
    images: [B, H, W, 3], grey levels.
    contrast: [B], a factor.
    brightness: [B], grey levels to add.

  Returns:
    float32 [B, H, W, 3], whole grey levels 0..255. Fractions are dropped, not
    rounded, as by a cast to uint8.
  """
  shape = (-1, 1, 1, 1)
  images = images * contrast.reshape(shape) + brightness.reshape(shape)
  return jnp.floor(jnp.clip(images, 0, 255))


def crop_and_resize(
  images: jax.Array, box: jax.Array, target: int
) -> jax.Array:
  """Crops to boxes and resizes bilinearly, as OpenCV does for uint8 images.

  OpenCV computes in fixed point and drops the fraction of each vertical
  neighbour, which darkens by a quarter of a grey level on average. The same is
  done here, to match the papers' code.

  Args:
    images: float32 [B, H, W, 3], whole grey levels.
    box: float32 [B, 4], whole pixels: top, left, height, width.
    target: T, pixels of each side of the result.

  Returns:
    float32 [B, T, T, 3], whole grey levels.
  """
  _, height, width, _ = images.shape
  top, left, box_height, box_width = box.T
  above, below = interpolation_weights(top, box_height, height, target)
  columns = sum(interpolation_weights(left, box_width, width, target))
  # Matrix products along each axis, since accelerators gather slowly. At lower
  # precision they would be wrong by whole grey levels.
  product = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
  images = jnp.floor(product('bwj,bijc->biwc', columns, images) / 16)
  above, below = (
    jnp.floor(product('bhi,biwc->bhwc', rows / 2**16, images))
    for rows in (above, below)
  )
  return jnp.floor((above + below + 2) / 4)


def interpolation_weights(
  start: jax.Array, length: jax.Array, source: int, target: int
) -> tuple[jax.Array, jax.Array]:
  """Returns the bilinear weights that resize a part of one axis.

  Pixel centres are at half-integers. Beyond the part, its edge is repeated.

  Args:
    start: [B], first pixel of the part.
    length: [B], pixels of the part.
    source: S, pixels of the axis.
    target: T, pixels of the result.

  Returns:
    float32 [B, T, S] for the left and the same for the right neighbour of each
    output pixel, in 1/2048ths, as OpenCV rounds them.
  """
  centre = (jnp.arange(target) + 0.5) * (length[:, None] / target) - 0.5
  centre = jnp.clip(centre, 0, length[:, None] - 1) + start[:, None]
  distance = jnp.arange(source) - centre[..., None]
  weights = jnp.round(2048 * jnp.maximum(1 - jnp.abs(distance), 0))
  left = distance <= 0
  return jnp.where(left, weights, 0), jnp.where(left, 0, weights)
