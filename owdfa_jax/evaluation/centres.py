"""Whitened centres: an image is of the source whose centre is nearest.

`discovery` finds the centres; here they classify.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_EXACT = jax.lax.Precision.HIGHEST


class Whitening(NamedTuple):
  """An affine map of features, g(f) = (f - mean) matrix.

  Attributes:
    mean: float32 [C].
    matrix: float32 [C, D].
  """

  mean: jax.Array
  matrix: jax.Array


@jax.jit
def whiten(whitening: Whitening, feature: jax.Array) -> jax.Array:
  """Returns whitened features, float32 [N, D], on the devices of the rows."""
  return jnp.matmul(
    feature - whitening.mean, whitening.matrix, precision=_EXACT
  )
