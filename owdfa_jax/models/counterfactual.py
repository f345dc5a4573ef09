"""CDAL's branch: what do attention maps add to arbitrary other ones?

Training only. Works on an early stage of the backbone; logits for inference
stay the head's. Nothing in it is held constant: its gradient reaches the stage
through maps, pooled features and the degraded copy alike.
"""

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from owdfa_jax.models.batch_norm import BatchNorm

NUM_EXPERTS = 4
# What a unit vector is multiplied with before the linear layer.
SCALE = 100.0
EPSILON = 1e-6
BLUR_SIZE = 11
BLUR_SIGMA = 7.0
NOISE = 0.1
_EXACT = jax.lax.Precision.HIGHEST


@flax.struct.dataclass
class CounterfactualOutputs:
  """The branch's view of a batch; all float32.

  Attributes:
    factual: [B, K], logits by the maps A that are to find a forgery's traces.
    counterfactual: [B, K], logits by other maps A^ of the same features.
    augmented_factual: [B, K], logits by A of the degraded features.
    augmented_counterfactual: [B, K], logits by A^ of the degraded features.
    distance: [B], how far the degrading moved the features of the maps that
      it did not preserve; the mean over all maps.
  """

  factual: jax.Array
  counterfactual: jax.Array
  augmented_factual: jax.Array
  augmented_counterfactual: jax.Array
  distance: jax.Array


class Experts(nnx.Module):
  """Kernels of a conditional convolution: for each image its own mixture.

  Attributes:
    kernel: [E, taps, out], one kernel per expert.
    router: how much of each expert an image gets, from its mean pixel.
  """

  def __init__(
    self, in_features: int, taps: int, out_features: int, *, rngs: nnx.Rngs
  ) -> None:
    shape = (NUM_EXPERTS, taps, out_features)
    initialise = nnx.initializers.normal(taps**-0.5)
    self.kernel = nnx.Param(initialise(rngs.params(), shape))
    self.router = nnx.Linear(
      in_features, NUM_EXPERTS, precision=_EXACT, rngs=rngs
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, h, w, in] to kernels [B, taps, out].

    The weights of the experts are sigmoids: they need not sum to 1.
    """
    weights = nnx.sigmoid(self.router(x.mean((1, 2))))
    return jnp.einsum(
      'be,eto->bto', weights, self.kernel[...], precision=_EXACT
    )


class AttentionMaps(nnx.Module):
  """A ghost module: half of the maps by 1x1 convolution, half from those.

  Both convolutions are conditional, see `Experts`.
  """

  def __init__(self, num_features: int, maps: int, *, rngs: nnx.Rngs) -> None:
    """`maps`, an even number, is how many there are in all."""
    half = maps // 2
    self.primary = Experts(num_features, num_features, half, rngs=rngs)
    self.primary_norm = BatchNorm(half)
    self.cheap = Experts(half, 9, half, rngs=rngs)
    self.cheap_norm = BatchNorm(half)

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, h, w, C] to [B, h, w, maps], none negative."""
    primary = jnp.matmul(pixels(x), self.primary(x), precision=_EXACT)
    primary = nnx.relu(self.primary_norm(primary, train=True))
    primary = primary.reshape(*x.shape[:3], -1)
    cheap = depthwise(primary, self.cheap(primary))
    cheap = nnx.relu(self.cheap_norm(cheap, train=True))
    return jnp.concatenate([primary, cheap], -1)


class Counterfactual(nnx.Module):
  """The counterfactual attention branch of CDAL (Zheng et al., ICCV 2025).

  Follows the released code as far as it is defined. Where its CPL and MPSL
  variants differ, in the maps by which original and degraded features are
  matched, both take the factual maps here, as its MPSL does.
  """

  def __init__(
    self,
    num_features: int,
    num_classes: int,
    *,
    maps: int = 64,
    dropout: float = 0.3,
    rngs: nnx.Rngs,
  ) -> None:
    """Builds the branch.

    Args:
      num_features: C, channels of the stage.
      num_classes: K, width of the logits.
      maps: of each kind; an even number. CDAL has 64 for 256 channels; the
        branch's cost is in proportion to them.
      dropout: share of pooled features dropped before the linear layer.
      rngs: source of the initial parameters.
    """
    self.factual = AttentionMaps(num_features, maps, rngs=rngs)
    self.counterfactual = AttentionMaps(num_features, maps, rngs=rngs)
    self.dropout = nnx.Dropout(dropout)
    self.fc = nnx.Linear(
      maps * num_features,
      num_classes,
      use_bias=False,
      kernel_init=nnx.initializers.normal(0.001),
      precision=_EXACT,
      rngs=rngs,
    )

  def __call__(
    self, stage_map: jax.Array, *, key: jax.Array
  ) -> CounterfactualOutputs:
    """Maps a stage's features, float32 [B, h, w, C], to logits and distance.

    `key` gives the sampled maps, the noise and the dropout.
    """
    keys = jax.random.split(key, 7)
    maps = self.factual(stage_map)
    other_maps = self.counterfactual(stage_map)
    chosen, kept = sample_map(maps, keys[0])
    _, blurred = sample_map(other_maps, keys[1])
    degraded = augment(stage_map, kept, blurred, keys[2])
    feature = pool(maps, stage_map)
    new_feature = pool(self.factual(degraded), degraded)
    return CounterfactualOutputs(
      self.classify(feature, keys[3]),
      self.classify(pool(other_maps, stage_map), keys[4]),
      self.classify(new_feature, keys[5]),
      self.classify(pool(self.counterfactual(degraded), degraded), keys[6]),
      distance(feature, new_feature, chosen),
    )

  def classify(self, feature: jax.Array, key: jax.Array) -> jax.Array:
    """Pooled features [B, M, C] to logits [B, K]; one layer for all kinds."""
    flat = feature.reshape(len(feature), -1)
    return self.fc(SCALE * self.dropout(flat, deterministic=False, rngs=key))


def pixels(x: jax.Array) -> jax.Array:
  """[B, h, w, C] to [B, h * w, C].

  XLA multiplies matrices on processors several times as fast as it contracts
  two axes at once.
  """
  return x.reshape(len(x), -1, x.shape[-1])


@jax.custom_vjp
def depthwise(x: jax.Array, kernels: jax.Array) -> jax.Array:
  """Convolves each channel of each image by its own 3x3 kernel, zero-padded.

  Args:
    x: [B, h, w, C].
    kernels: [B, 9, C], taps row by row.

  Returns:
    [B, h, w, C].
  """
  padded = _pad(x)
  # Nine products: a convolution with a kernel per image is one per image.
  taps = (_shift(padded, tap) * kernels[:, tap, None, None] for tap in range(9))
  return sum(taps, jnp.zeros_like(x))


def _depthwise_forward(
  x: jax.Array, kernels: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return depthwise(x, kernels), (x, kernels)


def _depthwise_backward(
  saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
  x, kernels = saved
  padded = _pad(x)

  def of_tap(tap: jax.Array) -> jax.Array:
    return jnp.sum(_shift(padded, tap) * gradient, (1, 2))

  # One tap at a time: XLA fuses nine sums over shifted images into one loop
  # that takes four times as long on a processor.
  of_kernels = jax.lax.map(of_tap, jnp.arange(9))
  return depthwise(gradient, kernels[:, ::-1]), of_kernels.swapaxes(0, 1)


depthwise.defvjp(_depthwise_forward, _depthwise_backward)


def _pad(x: jax.Array) -> jax.Array:
  return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _shift(padded: jax.Array, tap: int | jax.Array) -> jax.Array:
  """The pixels of [B, h + 2, w + 2, C] that a tap sees, [B, h, w, C]."""
  batch, height, width, channels = padded.shape
  return jax.lax.dynamic_slice(
    padded,
    (0, tap // 3, tap % 3, 0),
    (batch, height - 2, width - 2, channels),
  )


def pool(maps: jax.Array, x: jax.Array) -> jax.Array:
  """Bilinear attention pooling: features by map, of length 1 in all.

  F_mc = mean over pixels of A_m x_c, then sign(F) sqrt(|F| + 1e-6), then the
  whole matrix is divided by its norm.

  Args:
    maps: [B, h, w, M].
    x: [B, h, w, C].

  Returns:
    [B, M, C].
  """
  feature = jnp.matmul(pixels(maps).swapaxes(1, 2), pixels(x), precision=_EXACT)
  feature /= x.shape[1] * x.shape[2]
  feature = jnp.sign(feature) * jnp.sqrt(jnp.abs(feature) + EPSILON)
  return feature / _norm(feature, (1, 2))


def sample_map(maps: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Draws a map per image with probability proportional to sqrt(its sum).

  Args:
    maps: [B, h, w, M], none negative.
    key: of the draw.

  Returns:
    The index of each image's map, int32 [B], and the maps, [B, h, w, 1].
  """
  # log sqrt(s); the epsilon lets maps that are all 0 be drawn evenly.
  logits = 0.5 * jnp.log(maps.sum((1, 2)) + EPSILON)
  index = jax.random.categorical(key, logits)
  return index, jnp.take_along_axis(maps, index[:, None, None, None], -1)


def augment(
  x: jax.Array, kept: jax.Array, blurred: jax.Array, key: jax.Array
) -> jax.Array:
  """Degrades features where one map says so: x a1 + up(blur(down(x)) + n) a2.

  Args:
    x: [B, h, w, C].
    kept: a1, [B, h, w, 1].
    blurred: a2, [B, h, w, 1].
    key: of the noise n, normal with standard deviation 0.1.

  Returns:
    [B, h, w, C].
  """
  height, width = x.shape[1:3]
  small = _over_pixels(shrink_matrix(height), shrink_matrix(width), x)
  small += NOISE * jax.random.normal(key, small.shape)
  rows = resize_matrix(small.shape[1], height)
  columns = resize_matrix(small.shape[2], width)
  return x * kept + _over_pixels(rows, columns, small) * blurred


def distance(
  feature: jax.Array, other: jax.Array, chosen: jax.Array
) -> jax.Array:
  """Distance of pooled features, but for the map that was sampled.

  Args:
    feature: [B, M, C].
    other: [B, M, C].
    chosen: int32 [B], the map to leave out.

  Returns:
    [B], the sum over the other maps divided by M.
  """
  num_maps = feature.shape[1]
  lengths = _norm(feature - other, (2,))[..., 0]
  return jnp.mean(lengths * (1 - jax.nn.one_hot(chosen, num_maps)), -1)


def shrink_matrix(size: int) -> np.ndarray:
  """Halves a column of pixels and blurs it: [size // 2, size].

  The blur is Gaussian over 11 pixels, reflected at the borders.
  """
  small = max(size // 2, 1)
  reach = BLUR_SIZE // 2
  weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / BLUR_SIGMA) ** 2)
  weights /= weights.sum()
  reflected = np.pad(np.arange(small), reach, mode='reflect')
  blur = np.zeros((small, small))
  for row in range(small):
    np.add.at(blur[row], reflected[row : row + BLUR_SIZE], weights)
  return blur @ resize_matrix(size, small)


def resize_matrix(size: int, new_size: int) -> np.ndarray:
  """Bilinear resizing of a column of pixels: [new_size, size]."""
  centre = (np.arange(new_size) + 0.5) * size / new_size - 0.5
  centre = np.clip(centre, 0, size - 1)
  return np.maximum(0, 1 - np.abs(centre[:, None] - np.arange(size)))


def _over_pixels(
  rows: np.ndarray, columns: np.ndarray, x: jax.Array
) -> jax.Array:
  left, right = (jnp.asarray(m, jnp.float32) for m in (rows, columns))
  return jnp.einsum('kh,bhwc,lw->bklc', left, x, right, precision=_EXACT)


def _norm(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
  """Length over `axes`, which stay; its gradient at 0 is 0."""
  square = jnp.sum(x * x, axes, keepdims=True)
  return jnp.sqrt(jnp.maximum(square, 1e-24))
