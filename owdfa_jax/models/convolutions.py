"""Convolutions that the backbones share, and how their kernels start."""

import math

import jax
import jax.numpy as jnp
from flax import nnx


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
    rngs=rngs,
  )
