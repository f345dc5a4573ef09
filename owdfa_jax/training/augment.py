"""Random image transforms on the device, inside the step.

The draws are apart from their application, so that tests can inject them. All
of it is sharding-invariant: one draw per row of the global batch.
"""

import dataclasses
import functools

import flax.struct
import jax
import jax.numpy as jnp

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# The papers crop to 292 pixels and resize to 256.
ENLARGEMENT = 292 / 256
CROP_SCALE = (0.5, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)
CROP_TRIES = 10


@dataclasses.dataclass(frozen=True)
class View:
  """Probabilities of the transforms, and the strength of the colour one.

  Attributes:
    flip: probability of a horizontal flip.
    crop: probability of a random resized crop.
    jitter: probability of a brightness and contrast change.
    strength: brightness changes by up to this share of 255, contrast by up to
      this share of itself, either way.
  """

  flip: float = 0.0
  crop: float = 0.0
  jitter: float = 0.0
  strength: float = 0.0


VIEWS = {
  'none': View(),
  'standard': View(flip=0.5, crop=0.2, jitter=0.2, strength=0.2),
  'weak': View(flip=0.5),
  'strong': View(flip=0.5, crop=0.2, jitter=0.2, strength=0.4),
}


@flax.struct.dataclass
class Draws:
  """What was drawn for each of B images.

  Attributes:
    flip: [B] bool.
    crop: [B] bool.
    box: [B, 4] float32, whole pixels: top, left, height, width.
    contrast: [B] float32, a factor.
    brightness: [B] float32, grey levels added.
  """

  flip: jax.Array
  crop: jax.Array
  box: jax.Array
  contrast: jax.Array
  brightness: jax.Array


def draw_boxes(key: jax.Array, num: int, height: int, width: int) -> jax.Array:
  """Boxes of the random resized crop, [num, 4] float32 (see `Draws.box`).

  The usual rule: a share of the area, uniform, and an aspect ratio, uniform in
  its logarithm, tried up to ten times until the box fits; else the whole image.
  """
  area_key, ratio_key, place_key = jax.random.split(key, 3)
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
  place = jnp.floor(jax.random.uniform(place_key, (num, 2)) * (room + 1))
  return jnp.concatenate([jnp.minimum(place, room), size], -1)


def draw(key: jax.Array, num: int, size: int, view: View) -> Draws:
  """Draws the transforms of `num` square images of `size` pixels."""
  keys = jax.random.split(key, 6)
  jitter = jax.random.bernoulli(keys[3], view.jitter, (num,))
  contrast = view.strength * jax.random.uniform(keys[4], (num,), minval=-1)
  brightness = view.strength * jax.random.uniform(keys[5], (num,), minval=-1)
  return Draws(
    flip=jax.random.bernoulli(keys[0], view.flip, (num,)),
    crop=jax.random.bernoulli(keys[1], view.crop, (num,)),
    box=draw_boxes(keys[2], num, size, size),
    contrast=1 + jnp.where(jitter, contrast, 0),
    brightness=255 * jnp.where(jitter, brightness, 0),
  )


def interpolation_weights(
  start: jax.Array, length: jax.Array, source: int, target: int
) -> tuple[jax.Array, jax.Array]:
  """Bilinear weights of one axis: two [B, target, source] float32.

  `length` [B] pixels from `start` [B] on are stretched to `target` pixels;
  half-pixel centres, edges clamped to the box. Row o of the two holds the
  weight of output pixel o's left and right neighbour, in 1/2048ths.
  """
  centre = (jnp.arange(target) + 0.5) * (length[:, None] / target) - 0.5
  centre = jnp.clip(centre, 0, length[:, None] - 1) + start[:, None]
  distance = jnp.arange(source) - centre[..., None]
  weights = jnp.round(2048 * jnp.maximum(1 - jnp.abs(distance), 0))
  left = distance <= 0
  return jnp.where(left, weights, 0), jnp.where(left, 0, weights)


def resize(images: jax.Array, box: jax.Array, target: int) -> jax.Array:
  """Crops [B, H, W, 3] to `box` [B, 4] and resizes to [B, target, target, 3].

  Matrix products along each axis, instead of gathers. Values are whole grey
  levels in float32, on both sides. Rounds where OpenCV's fixed-point
  INTER_LINEAR does: it drops fractions of each vertical neighbour, which
  darkens by a quarter of a level on average.
  """
  _, height, width, _ = images.shape
  top, left, box_height, box_width = box.T
  above, below = interpolation_weights(top, box_height, height, target)
  columns = sum(interpolation_weights(left, box_width, width, target))
  # Reduced precision would be off by whole grey levels.
  product = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
  images = jnp.floor(product('bwj,bijc->biwc', columns, images) / 16)
  above, below = (
    jnp.floor(product('bhi,biwc->bhwc', rows / 2**16, images))
    for rows in (above, below)
  )
  return jnp.floor((above + below + 2) / 4)


def adjust(
  images: jax.Array, contrast: jax.Array, brightness: jax.Array
) -> jax.Array:
  """Contrast [B] times value plus brightness [B], cut to whole 0..255.

  Cut, not rounded, as a cast to uint8 does.
  """
  shape = (-1, 1, 1, 1)
  images = images * contrast.reshape(shape) + brightness.reshape(shape)
  return jnp.floor(jnp.clip(images, 0, 255))


def apply(draws: Draws, images: jax.Array, view: View) -> jax.Array:
  """Applies what was drawn: [B, S, S, 3] to the same shape, float32.

  Values are whole grey levels 0..255. `view` only tells which transforms can
  be left out altogether because they never happen.
  """
  images = images.astype(jnp.float32)
  size = images.shape[1]
  rows = (-1, 1, 1, 1)
  if view.flip:
    flip = draws.flip.reshape(rows)
    images = jnp.where(flip, images[:, :, ::-1], images)
  adjusted = images
  if view.jitter:
    adjusted = adjust(images, draws.contrast, draws.brightness)
  if not view.crop:
    return adjusted
  enlarged = round(size * ENLARGEMENT)
  cropped = resize(images, draws.box, enlarged)
  if view.jitter:
    cropped = adjust(cropped, draws.contrast, draws.brightness)
  whole = jnp.tile(jnp.float32([0, 0, enlarged, enlarged]), (len(images), 1))
  cropped = resize(cropped, whole, size)
  return jnp.where(draws.crop.reshape(rows), cropped, adjusted)


def augment(key: jax.Array, images: jax.Array, view: str) -> jax.Array:
  """A random view (a key of `VIEWS`) of uint8 images [B, S, S, 3].

  Returns whole grey levels 0..255, float32, of the same shape.
  """
  num, size = images.shape[:2]
  draws = draw(key, num, size, VIEWS[view])
  return apply(draws, images, VIEWS[view])


def normalise(images: jax.Array) -> jax.Array:
  """Grey levels [..., 3] to float32, mean 0 and deviation 1 on ImageNet."""
  mean, std = jnp.array(IMAGENET_MEAN), jnp.array(IMAGENET_STD)
  return (images.astype(jnp.float32) / 255 - mean) / std
