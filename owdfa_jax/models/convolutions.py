"""Convolutions that the backbones share, and how their kernels start.

On processors, the gradient of a kernel has a rule of its own: see
`_kernel_gradient`. Everything else is XLA's convolution.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax.models.transposes import transpose_slices

_DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')
# Rows and columns of zeros before and after an image.
Padding = tuple[tuple[int, int], ...]


def kaiming_normal(
  key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype
) -> jax.Array:
  """Draws Normal(0, sqrt(2 / fan_out)) for a kernel [h, w, in, out]."""
  height, width, _, out_features = shape
  # Drawn flat: the values are the same, but XLA takes several times as long
  # to compile a draw of four axes, and a network has dozens of shapes.
  values = jax.random.normal(key, (math.prod(shape),), dtype).reshape(shape)
  return values * math.sqrt(2 / (height * width * out_features))


def conv(
  in_features: int,
  out_features: int,
  kernel: int,
  stride: int,
  *,
  padding: int | str | None = None,
  dtype: jnp.dtype,
  rngs: nnx.Rngs,
) -> nnx.Conv:
  """Returns a convolution without bias, initialised as torchvision's.

  Args:
    in_features: channels of the input.
    out_features: channels of the output.
    kernel: side of the square kernel.
    stride: in both directions.
    padding: zeros on each side; None for half of the kernel, as PyTorch's
      networks have it, 'SAME' for TensorFlow's, which are as few as possible,
      and one more on the right and below where their number is odd.
    dtype: what it computes in.
    rngs: source of the initial parameters.
  """
  return nnx.Conv(
    in_features,
    out_features,
    (kernel, kernel),
    strides=stride,
    # Explicit, as 'SAME' at stride 2 pads (0, 1) where PyTorch pads (1, 1).
    padding=kernel // 2 if padding is None else padding,
    # A batch norm with a bias follows.
    use_bias=False,
    dtype=dtype,
    kernel_init=kaiming_normal,
    conv_general_dilated=_of_layer,
    rngs=rngs,
  )


def _of_layer(
  x: jax.Array,
  kernel: jax.Array,
  strides: Sequence[int],
  padding: str | Sequence[tuple[int, int]],
  **others: Any,
) -> jax.Array:
  """Convolves as a layer of `conv` asks for; `others` are its defaults."""
  del others
  if isinstance(padding, str):
    padding = jax.lax.padtype_to_pads(
      x.shape[1:3], kernel.shape[:2], strides, padding
    )
  pads = tuple((before, after) for before, after in padding)
  return convolve(x, kernel, tuple(strides), pads)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(
  x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: Padding
) -> jax.Array:
  """Computes a convolution (a cross-correlation, as networks have it).

  Args:
    x: [B, H, W, C].
    kernel: [h, w, C, D], of the same dtype.
    strides: down and across.
    padding: zeros above and below, and to the left and right.

  Returns:
    [B, H', W', D], in the same dtype.
  """
  return jax.lax.conv_general_dilated(
    x, kernel, strides, padding, dimension_numbers=_DIMENSIONS
  )


def _forward(
  x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: Padding
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return convolve(x, kernel, strides, padding), (x, kernel)


def _backward(
  strides: tuple[int, ...],
  padding: Padding,
  saved: tuple[jax.Array, jax.Array],
  cotangent: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  x, kernel = saved

  def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(
      x, kernel, strides, padding, dimension_numbers=_DIMENSIONS
    )

  (image_gradient,) = jax.vjp(lambda x: plain(x, kernel), x)[1](cotangent)
  kernel_gradient = jax.lax.platform_dependent(
    x,
    kernel,
    cotangent,
    cpu=lambda x, kernel, cotangent: _kernel_gradient(
      x, kernel.shape[:2], strides, padding, cotangent
    ),
    default=lambda x, kernel, cotangent: jax.vjp(
      lambda kernel: plain(x, kernel), kernel
    )[1](cotangent)[0],
  )
  return image_gradient, kernel_gradient


convolve.defvjp(_forward, _backward)


def _kernel_gradient(
  x: jax.Array,
  sides: tuple[int, ...],
  strides: tuple[int, ...],
  padding: Padding,
  cotangent: jax.Array,
) -> jax.Array:
  """Returns the gradient of a kernel [h, w, C, D], for processors.

  It is what JAX derives, a convolution over the images with their batch as
  channels. Left to itself, XLA computes `x` a second time while it transposes
  it, see `transpose_slices`. For a kernel of one pixel it is a matrix product.
  """
  batch_last = transpose_slices(x, (3, 1, 2, 0), along=1)
  if sides == (1, 1) and not any(map(sum, padding)):
    seen = batch_last[:, :: strides[0], :: strides[1]]
    pixels = ((1, 2, 3), (1, 2, 0))
    return jax.lax.dot_general(seen, cotangent, (pixels, ((), ())))[None, None]
  # What lies beyond these pixels the kernel never sees.
  reach = [
    (before, (out - 1) * stride + side - size - before)
    for before, out, stride, side, size in zip(
      (before for before, _ in padding),
      cotangent.shape[1:3],
      strides,
      sides,
      x.shape[1:3],
      strict=True,
    )
  ]
  gradient = jax.lax.conv_general_dilated(
    batch_last,
    cotangent.transpose(1, 2, 0, 3),
    (1, 1),
    reach,
    rhs_dilation=strides,
    dimension_numbers=_DIMENSIONS,
  )
  return gradient.transpose(1, 2, 0, 3)
