"""Depthwise convolutions: every channel has a kernel of its own.

On accelerators this is XLA's grouped convolution. On processors XLA takes up to
a hundred times as long for it as for the sum of shifted copies computed here,
and the gradients need a rule of their own, see `_shifted_sums`.
"""

import functools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax.models.batch_norm import at_least_float32
from owdfa_jax.models.convolutions import kaiming_normal

# The axes of rows and columns.
_SPATIAL = (1, 2)


class DepthwiseConv(nnx.Module):
  """A depthwise convolution without bias, padded as TensorFlow's 'SAME'.

  Attributes:
    kernel: [k, k, 1, C], named and shaped as in `nnx.Conv`.
    stride: in both directions.
    dtype: what it returns; products are summed in float32 at least.
  """

  def __init__(
    self,
    num_features: int,
    kernel: int,
    stride: int,
    *,
    dtype: jnp.dtype,
    rngs: nnx.Rngs,
  ) -> None:
    """Builds the layer.

    Args:
      num_features: C, channels of input and output.
      kernel: k, side of the square kernels.
      stride: in both directions.
      dtype: what it returns.
      rngs: source of the initial parameters.
    """
    # One output channel for each kernel, so the fan-out is k * k.
    values = kaiming_normal(
      rngs.params(), (kernel, kernel, num_features, 1), jnp.float32
    )
    self.kernel = nnx.Param(values.swapaxes(2, 3))
    self.stride = stride
    self.dtype = dtype

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), C]."""
    return depthwise_convolution(
      x.astype(self.dtype), self.kernel[...].astype(self.dtype), self.stride
    )


def depthwise_convolution(
  x: jax.Array, kernel: jax.Array, stride: int
) -> jax.Array:
  """Computes a depthwise convolution, padded as TensorFlow's 'SAME'.

  Args:
    x: [B, H, W, C].
    kernel: [k, k, 1, C], of the same dtype.
    stride: in both directions.

  Returns:
    [B, ceil(H / stride), ceil(W / stride), C], in the same dtype.
  """
  return jax.lax.platform_dependent(
    x,
    kernel,
    cpu=lambda x, kernel: _shifted_sums(x, kernel, stride),
    default=lambda x, kernel: grouped_convolution(x, kernel, stride),
  )


def grouped_convolution(
  x: jax.Array, kernel: jax.Array, stride: int
) -> jax.Array:
  """Computes the same by XLA's convolution, with one group per channel."""
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    'SAME',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=x.shape[-1],
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _shifted_sums(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  """Computes the same as a sum of k * k shifted images times their weights.

  XLA makes one vectorised loop of it. The gradient that JAX would derive is
  slow: it pads each shifted image by itself, and sums over all pixels with the
  channels outermost.
  """
  weights = at_least_float32(kernel)
  total = jnp.zeros((), weights.dtype)
  for (i, j), shifted in _shifts(x, len(kernel), stride):
    total += at_least_float32(shifted) * weights[i, j, 0]
  return total.astype(x.dtype)


def _forward(
  x: jax.Array, kernel: jax.Array, stride: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return _shifted_sums(x, kernel, stride), (x, kernel)


def _backward(
  stride: int, saved: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
  x, kernel = saved
  return (
    _image_gradient(x, kernel, stride, cotangent),
    _kernel_gradient(x, kernel, stride, cotangent),
  )


_shifted_sums.defvjp(_forward, _backward)


def _image_gradient(
  x: jax.Array, kernel: jax.Array, stride: int, cotangent: jax.Array
) -> jax.Array:
  """Returns the gradient of `x`, again as a sum of shifted images.

  These are of the cotangent with stride - 1 zeros between its pixels, by the
  kernel turned around.
  """
  size, last = len(kernel), len(kernel) - 1
  padding = [(0, 0, 0)] * 4
  for axis in _SPATIAL:
    before, _ = _padding(x.shape[axis], size, stride)
    spread = (cotangent.shape[axis] - 1) * stride + 1
    low = last - before
    # So that `size` shifts of `x`'s length fit.
    padding[axis] = (low, x.shape[axis] + last - low - spread, stride - 1)
  zero = jnp.zeros((), cotangent.dtype)
  padded = jax.lax.pad(cotangent, zero, padding)
  weights = at_least_float32(kernel)
  total = jnp.zeros((), weights.dtype)
  for i in range(size):
    for j in range(size):
      shifted = padded[:, i : i + x.shape[1], j : j + x.shape[2]]
      total += at_least_float32(shifted) * weights[last - i, last - j, 0]
  return total.astype(x.dtype)


def _kernel_gradient(
  x: jax.Array, kernel: jax.Array, stride: int, cotangent: jax.Array
) -> jax.Array:
  """Returns the gradient of the kernels.

  Walks over the rows, and adds up k * k products in place; the sum over the
  batch and the columns comes last. Three to five times as fast as k * k sums
  over all pixels.
  """
  size = len(kernel)
  batch, height, width, channels = cotangent.shape
  padded = _pad(x, size, stride)

  def add_row(
    row: jax.Array, sums: tuple[jax.Array, ...]
  ) -> tuple[jax.Array, ...]:
    theirs = jax.lax.dynamic_index_in_dim(cotangent, row, 1, keepdims=False)
    rows = jax.lax.dynamic_slice_in_dim(padded, row * stride, size, 1)
    products = [
      at_least_float32(rows[:, i, j : j + (width - 1) * stride + 1 : stride])
      * at_least_float32(theirs)
      for i in range(size)
      for j in range(size)
    ]
    return tuple(a + b for a, b in zip(sums, products, strict=True))

  zeros = jnp.zeros((batch, width, channels), at_least_float32(x).dtype)
  sums = jax.lax.fori_loop(0, height, add_row, (zeros,) * size**2)
  gradient = jnp.stack([each.sum((0, 1)) for each in sums])
  return gradient.reshape(kernel.shape).astype(kernel.dtype)


def _shifts(
  x: jax.Array, size: int, stride: int
) -> Iterator[tuple[tuple[int, int], jax.Array]]:
  """Yields each position in the kernel, and what it is multiplied with."""
  padded = _pad(x, size, stride)
  height, width = (math.ceil(x.shape[axis] / stride) for axis in _SPATIAL)
  for i in range(size):
    for j in range(size):
      yield (
        (i, j),
        padded[
          :,
          i : i + (height - 1) * stride + 1 : stride,
          j : j + (width - 1) * stride + 1 : stride,
        ],
      )


def _pad(x: jax.Array, size: int, stride: int) -> jax.Array:
  """Pads rows and columns with zeros, as TensorFlow's 'SAME'."""
  sides = [_padding(x.shape[axis], size, stride) for axis in _SPATIAL]
  return jnp.pad(x, ((0, 0), *sides, (0, 0)))


def _padding(length: int, size: int, stride: int) -> tuple[int, int]:
  """Returns the number of zeros before and after `length` pixels."""
  total = max(0, (math.ceil(length / stride) - 1) * stride + size - length)
  return total // 2, total - total // 2
