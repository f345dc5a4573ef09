"""Similarities of all pairs of rows in a batch, and their largest values.

Everything is computed in float32 at full matrix precision, because neighbours
often differ by little, and carries no gradient.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax import vectors

# The largest and the second largest of some values, in this order.
BestTwo = tuple[jax.Array, jax.Array]


def _detached(features: jax.Array) -> jax.Array:
  """Returns features as float32 without gradient."""
  return jax.lax.stop_gradient(features).astype(jnp.float32)


class Factors(NamedTuple):
  """Two arrays whose product is a matrix of similarities, S = L R^T.

  Attributes:
    left: L, float32 [B, C] or [B, P, C]; row i decides row i of S.
    right: R, of the same shape; row j decides column j of S.
    weight: float32 [B, P], if the P cells of L are those of R, times the row's
      weights; None if L is R.
  """

  left: jax.Array
  right: jax.Array
  weight: jax.Array | None = None


class Neighbours(NamedTuple):
  """What the pairing needs of a matrix of similarities, [B, B].

  Attributes:
    nearest: int32 [B], the most similar *other* row; the first of equally
      similar ones.
    row_second: float32 [B], the second largest value of each row of the matrix,
      which counts the row itself.
    column_second: float32 [B], that of each column.
  """

  nearest: jax.Array
  row_second: jax.Array
  column_second: jax.Array


def product(factors: Factors) -> jax.Array:
  """Multiplies factors of A and B rows, to float32 [A, B]."""
  # A TPU stores the last two axes in tiles, so to flatten the cells it would
  # copy them. A CPU would transpose them to sum over two axes.
  return jax.lax.platform_dependent(
    factors.left,
    factors.right,
    tpu=product_of_cells,
    default=product_of_flat_rows,
  )


def product_of_cells(left: jax.Array, right: jax.Array) -> jax.Array:
  """Sums over all axes but the first, [A, ...] and [B, ...] to [A, B]."""
  axes = tuple(range(1, left.ndim))
  return jnp.tensordot(
    left, right, (axes, axes), precision=jax.lax.Precision.HIGHEST
  )


def product_of_flat_rows(left: jax.Array, right: jax.Array) -> jax.Array:
  """Computes `product_of_cells` by one matrix product of flat rows."""
  return jnp.matmul(
    _flat(left), _flat(right).T, precision=jax.lax.Precision.HIGHEST
  )


def _flat(features: jax.Array) -> jax.Array:
  return features.reshape(len(features), -1)


def cosine_factors(feature: jax.Array) -> Factors:
  """Returns the factors of `cosine_similarity`."""
  unit = vectors.unit(_detached(feature))
  return Factors(unit, unit)


def part_factors(parts: jax.Array) -> Factors:
  """Returns the factors of `part_similarity`."""
  parts = _detached(parts)
  # w times the unit cell is the cell over the row's whole norm. S is then one
  # matrix product, and no [B, B, P] array exists.
  weighted_cells = parts / vectors.length(_flat(parts))[..., None]
  weight = jnp.linalg.norm(weighted_cells, axis=-1)
  return Factors(weighted_cells, vectors.unit(parts), weight)


def band_factors(band: jax.Array) -> Factors:
  """Returns the factors of `band_similarity`."""
  unit = vectors.unit(_detached(band))
  return Factors(unit, unit)


def cosine_similarity(feature: jax.Array) -> jax.Array:
  """Computes the cosines of all pairs of rows, [B, C] to float32 [B, B]."""
  return product(cosine_factors(feature))


def part_similarity(parts: jax.Array) -> jax.Array:
  """Computes cosines of two images' cells, weighted by the first one's energy.

  S[i, j] = sum_c w[i, c] cos(l[i, c], l[j, c]) with w[i, c] = ||l[i, c]|| /
  ||l[i]||, the norm over all cells. The weights are those of row i, so S is not
  symmetric.

  Args:
    parts: l, float [B, P, C] with P cells.

  Returns:
    float32 [B, B].
  """
  return product(part_factors(parts))


def band_similarity(band: jax.Array) -> jax.Array:
  """Sums the cells' cosines without weights, [B, P, C] to float32 [B, B]."""
  return product(band_factors(band))


def nearest_neighbour(similarity: jax.Array) -> jax.Array:
  """Finds the most similar *other* row, float [B, B] to int32 [B].

  Of equally similar rows it is the first. A row alone in its batch is its own
  neighbour.
  """
  # Excluded by position: if an image is in the batch twice, the largest value
  # of a row need not be the row itself.
  itself = jnp.eye(len(similarity), dtype=bool)
  others = jnp.where(itself, -jnp.inf, similarity)
  return jnp.argmax(others, axis=-1).astype(jnp.int32)


def merge_best_two(left: BestTwo, right: BestTwo) -> BestTwo:
  """Returns the best two of two best twos."""
  first = jnp.maximum(left[0], right[0])
  runner_up = jnp.minimum(left[0], right[0])
  return first, jnp.maximum(runner_up, jnp.maximum(left[1], right[1]))


def best_two(values: jax.Array, axis: int) -> BestTwo:
  """Returns the best two along an axis; of (3, 3, 1) they are 3 and 3."""
  # One pass that keeps the best two. `top_k` sorts (15 to 70 times slower on a
  # CPU at B = 128 to 4096) and, across sharded rows, gathers the whole matrix
  # where this reduction sends two numbers per column and device.
  lowest = jnp.full_like(values, -jnp.inf)
  start = jnp.full((), -jnp.inf, values.dtype)
  return jax.lax.reduce(
    (values, lowest), (start, start), merge_best_two, (axis,)
  )


def second_largest(values: jax.Array, axis: int) -> jax.Array:
  """Returns the second largest value along an axis; of (3, 3, 1) it is 3."""
  return best_two(values, axis)[1]


def neighbours_of(similarity: jax.Array) -> Neighbours:
  """Returns what the pairing needs of similarities, float [B, B]."""
  return Neighbours(
    nearest=nearest_neighbour(similarity),
    row_second=second_largest(similarity, axis=1),
    column_second=second_largest(similarity, axis=0),
  )
