"""Batch normalisation with PyTorch's arithmetic, over the global batch.

Flax's layer keeps the biased running variance, PyTorch's the unbiased one. In a
BN neck, which has one value per image, the two differ by B / (B - 1).
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx

EPSILON = 1e-5


def moments(x: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """Computes mean and biased variance over `axes`, which are removed.

  Both are at least float32.
  """
  x = at_least_float32(x)
  mean = x.mean(axes, keepdims=True)
  # Two passes: E[x^2] - E[x]^2 cancels where the mean outweighs the spread.
  variance = jnp.square(x - mean).mean(axes)
  return mean.squeeze(axes), variance


def standardise(
  x: jax.Array,
  mean: jax.Array,
  variance: jax.Array,
  epsilon: float = EPSILON,
) -> jax.Array:
  """Returns (x - mean) / sqrt(variance + epsilon), at least float32."""
  return (at_least_float32(x) - mean) * jax.lax.rsqrt(variance + epsilon)


def at_least_float32(x: jax.Array) -> jax.Array:
  """Converts to float32, unless `x` is wider already; for sums."""
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _scale(
  x: jax.Array,
  mean: jax.Array,
  variance: jax.Array,
  scale: jax.Array,
  bias: jax.Array | None,
  epsilon: float,
) -> jax.Array:
  """Standardises, multiplies by the scale and adds the bias."""
  y = standardise(x, mean, variance, epsilon) * scale
  if bias is not None:
    y += bias
  # The next layer computes in the input's dtype, say bfloat16.
  return y.astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalise_batch(
  x: jax.Array, scale: jax.Array, bias: jax.Array | None, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Normalises values by the mean and variance of their batch.

  The gradient flows through the batch's statistics, as in PyTorch. It has a
  rule of its own, with two sums and one pass over the values; what JAX derives
  has more passes, which take a processor a sixth of a step.

  Args:
    x: [..., C].
    scale: float32 [C].
    bias: float32 [C]; None for none.
    epsilon: added to the variance.

  Returns:
    The result, with the shape and dtype of `x`, and the mean and the biased
    variance [C], through which no gradient flows.
  """
  mean, variance = moments(x, tuple(range(x.ndim - 1)))
  return _scale(x, mean, variance, scale, bias, epsilon), mean, variance


def _forward(
  x: jax.Array, scale: jax.Array, bias: jax.Array | None, epsilon: float
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array | None, ...]]:
  y, mean, variance = normalise_batch(x, scale, bias, epsilon)
  return (y, mean, variance), (x, scale, bias, mean, variance)


def _backward(
  epsilon: float,
  saved: tuple[jax.Array, ...],
  cotangents: tuple[jax.Array, ...],
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
  x, scale, bias, mean, variance = saved
  cotangent = at_least_float32(cotangents[0])
  axes = tuple(range(x.ndim - 1))
  num_values = x.size // x.shape[-1]
  standard = standardise(x, mean, variance, epsilon)
  bias_gradient = cotangent.sum(axes)
  scale_gradient = (cotangent * standard).sum(axes)
  # What a change of the batch's mean and variance takes back.
  centred = cotangent - bias_gradient / num_values
  centred -= standard * (scale_gradient / num_values)
  gradient = centred * (scale * jax.lax.rsqrt(variance + epsilon))
  return (
    gradient.astype(x.dtype),
    scale_gradient,
    None if bias is None else bias_gradient,
  )


normalise_batch.defvjp(_forward, _backward)


class BatchNorm(nnx.Module):
  """Normalises the last axis over all the others.

  Under `jit` a sharded batch is one array, so its statistics are those of the
  global batch. Parameters and statistics are float32 for any input; the output
  has the input's dtype.

  Attributes:
    scale: [C], the weight; starts at 1.
    bias: [C], starts at 0; None in a BN neck, whose bias is fixed at 0.
    mean: [C], running mean; starts at 0.
    var: [C], running unbiased variance; starts at 1.
    momentum: the weight of the new statistics, as in PyTorch. (In Flax it is
      that of the old ones.)
    epsilon: added to the variance.
  """

  def __init__(
    self,
    num_features: int,
    *,
    use_bias: bool = True,
    momentum: float = 0.1,
    epsilon: float = EPSILON,
  ) -> None:
    self.scale = nnx.Param(jnp.ones(num_features))
    self.bias = nnx.Param(jnp.zeros(num_features)) if use_bias else None
    self.mean = nnx.BatchStat(jnp.zeros(num_features))
    self.var = nnx.BatchStat(jnp.ones(num_features))
    self.momentum = momentum
    self.epsilon = epsilon

  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """Maps [..., C] to the same shape and dtype.

    Args:
      x: the values.
      train: normalise by the batch's biased variance, and move the running
        statistics towards its mean and unbiased variance; else use these.
    """
    scale, bias = self.scale[...], None
    if self.bias is not None:
      bias = self.bias[...]
    if not train:
      return _scale(x, self.mean[...], self.var[...], scale, bias, self.epsilon)
    y, mean, variance = normalise_batch(x, scale, bias, self.epsilon)
    self._update(mean, variance, x.size // x.shape[-1])
    return y

  def _update(
    self, mean: jax.Array, variance: jax.Array, num_values: int
  ) -> None:
    """Moves the running statistics towards those of `num_values` values."""
    # PyTorch normalises by the biased variance and keeps the unbiased one.
    unbiased = variance * (num_values / (num_values - 1))
    self.mean[...] += self.momentum * (mean - self.mean[...])
    self.var[...] += self.momentum * (unbiased - self.var[...])
