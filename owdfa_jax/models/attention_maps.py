"""CDAL's attention maps: a ghost module of conditional convolutions.

A conditional convolution mixes several kernels for each image. A ghost module
computes half of its maps by a full convolution, and the other half from those
by a cheap depthwise one.

References:
  Yang et al., CondConv: Conditionally Parameterized Convolutions for Efficient
  Inference, NeurIPS 2019.
  Han et al., GhostNet: More Features from Cheap Operations, CVPR 2020.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax.models.batch_norm import BatchNorm

NUM_EXPERTS = 4
_EXACT = jax.lax.Precision.HIGHEST


class Experts(nnx.Module):
  """The kernels of a conditional convolution, mixed for each image.

  Attributes:
    kernel: float32 [E, taps, out], one kernel for each of E experts.
    router: maps an image's mean pixel to its weight for each expert.
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
    """Maps features [B, h, w, in] to kernels [B, taps, out].

    The experts' weights are sigmoids, so they need not sum to 1.
    """
    weights = nnx.sigmoid(self.router(x.mean((1, 2))))
    return jnp.einsum(
      'be,eto->bto', weights, self.kernel[...], precision=_EXACT
    )


class AttentionMaps(nnx.Module):
  """Computes attention maps of features by a conditional ghost module."""

  def __init__(self, num_features: int, maps: int, *, rngs: nnx.Rngs) -> None:
    """Builds the module.

    Args:
      num_features: C, channels of the features.
      maps: M, number of maps; even.
      rngs: source of the initial parameters.
    """
    half = maps // 2
    self.primary = Experts(num_features, num_features, half, rngs=rngs)
    self.primary_norm = BatchNorm(half)
    self.cheap = Experts(half, 9, half, rngs=rngs)
    self.cheap_norm = BatchNorm(half)

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, h, w, C] to [B, h, w, M], all values at least 0."""
    # A 1x1 convolution with a kernel for each image is a batched product.
    primary = jnp.matmul(flatten_pixels(x), self.primary(x), precision=_EXACT)
    primary = nnx.relu(self.primary_norm(primary, train=True))
    primary = primary.reshape(*x.shape[:3], -1)
    cheap = depthwise(primary, self.cheap(primary))
    cheap = nnx.relu(self.cheap_norm(cheap, train=True))
    return jnp.concatenate([primary, cheap], -1)


def flatten_pixels(x: jax.Array) -> jax.Array:
  """Reshapes [B, h, w, C] to [B, h * w, C]."""
  # XLA multiplies matrices on processors several times as fast as it contracts
  # two axes at once.
  return x.reshape(len(x), -1, x.shape[-1])


@jax.custom_vjp
def depthwise(x: jax.Array, kernels: jax.Array) -> jax.Array:
  """Convolves each channel of each image by a 3x3 kernel of its own.

  Args:
    x: [B, h, w, C]; padded with zeros.
    kernels: [B, 9, C], the taps row by row.

  Returns:
    [B, h, w, C].
  """
  padded = _pad(x)
  # Nine shifted products, as XLA would run a convolution with a kernel for each
  # image one image at a time.
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
  # The gradient of a convolution is one with the reversed kernel.
  return depthwise(gradient, kernels[:, ::-1]), of_kernels.swapaxes(0, 1)


depthwise.defvjp(_depthwise_forward, _depthwise_backward)


def _pad(x: jax.Array) -> jax.Array:
  """Adds a border of zeros, [B, h, w, C] to [B, h + 2, w + 2, C]."""
  return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _shift(padded: jax.Array, tap: int | jax.Array) -> jax.Array:
  """Returns the pixels of [B, h + 2, w + 2, C] at a tap, [B, h, w, C]."""
  batch, height, width, channels = padded.shape
  return jax.lax.dynamic_slice(
    padded,
    (0, tap // 3, tap % 3, 0),
    (batch, height - 2, width - 2, channels),
  )
