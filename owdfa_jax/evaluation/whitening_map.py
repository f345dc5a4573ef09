"""The affine map that whitens features, and the one by principal components.

All functions are pure. Rows may be split over devices: statistics are sums over
rows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Variances below this share of the largest one are rounding errors, which
# whitening would blow up.
LEAST_SHARE = 1e-6
_TINY = 1e-30
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


def principal_whitening(
  feature: jax.Array, is_row: jax.Array, components: int
) -> Whitening:
  """Returns the map to the first principal components, each of variance 1.

  Args:
    feature: float32 [N, C].
    is_row: bool [N]: other rows do not count.
    components: D, at most C of which are used.
  """
  mean = mean_of_rows(feature, is_row)
  apart = is_row[:, None] * (feature - mean)
  scatter = jnp.einsum('nc,nd->cd', apart, apart, precision=_EXACT)
  scatter /= jnp.maximum(is_row.sum(), 1)
  variance, direction = jnp.linalg.eigh(scatter)
  # Ascending variances: the last ones are the first components.
  scaled = direction / positive_deviation(variance)
  return Whitening(mean, scaled[:, ::-1][:, :components])


def mean_of_rows(feature: jax.Array, is_row: jax.Array) -> jax.Array:
  """Returns the mean [C] of some rows.

  Args:
    feature: float32 [N, C].
    is_row: bool [N]: other rows do not count.
  """
  count = jnp.maximum(is_row.sum(), 1)
  return (is_row[:, None] * feature).sum(0) / count


def positive_deviation(variance: jax.Array) -> jax.Array:
  """Returns standard deviations [C] of ascending variances, none of them 0."""
  least = jnp.maximum(LEAST_SHARE * variance[-1], _TINY)
  return jnp.sqrt(jnp.maximum(variance, least))
