"""Transpositions that a processor makes of finished arrays."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def transpose_slices(
  x: jax.Array, axes: Sequence[int], along: int
) -> jax.Array:
  """Transposes an array; on processors one slice after the other.

  XLA would fuse the transposition with what computes `x`. Where `x` is needed
  in its first order too, a processor then computes it twice, the second time in
  an order that its caches are bad at: ten times as slow as a copy. A loop takes
  `x` as it is.

  Args:
    x: the array.
    axes: its axes in their new order, as `jax.numpy.transpose` takes them.
    along: the axis of `x` that the loop walks along. Devices must not split it.

  Returns:
    The transposed array, of the same dtype.
  """
  return jax.lax.platform_dependent(
    x,
    cpu=lambda x: _copy_slices(x, axes, along),
    default=lambda x: x.transpose(axes),
  )


def _copy_slices(x: jax.Array, axes: Sequence[int], along: int) -> jax.Array:
  new_axis = list(axes).index(along)

  def copy_slice(index: jax.Array, copied: jax.Array) -> jax.Array:
    part = jax.lax.dynamic_index_in_dim(x, index, along)
    return jax.lax.dynamic_update_slice_in_dim(
      copied, part.transpose(axes), index, new_axis
    )

  empty = jnp.zeros([x.shape[axis] for axis in axes], x.dtype)
  return jax.lax.fori_loop(0, x.shape[along], copy_slice, empty)
