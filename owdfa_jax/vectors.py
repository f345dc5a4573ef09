"""Lengths of vectors and vectors of length 1, with one epsilon for all."""

import jax
import jax.numpy as jnp

# The length that a shorter vector counts as having. A vector of zeros so stays
# zero, and its gradient finite.
EPSILON = 1e-12


def length(x: jax.Array, axis: int | tuple[int, ...] = -1) -> jax.Array:
  """Returns Euclidean lengths over `axis`, at least `EPSILON`; axes are kept.

  Unlike that of `jnp.linalg.norm`, the gradient at a vector of zeros is 0.
  """
  square = jnp.sum(x * x, axis, keepdims=True)
  return jnp.sqrt(jnp.maximum(square, EPSILON**2))


def unit(x: jax.Array, axis: int | tuple[int, ...] = -1) -> jax.Array:
  """Scales vectors along `axis` to length 1; a vector of zeros stays zero."""
  return x / length(x, axis)
