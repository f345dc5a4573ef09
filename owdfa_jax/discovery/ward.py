"""Merges cluster centres by Ward's criterion, inside a compiled program."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class _Merging(NamedTuple):
  """Centres in the course of merging; those that are gone have size 0.

  Attributes:
    centres: float32 [M, C].
    size: float32 [M].
    cost: float32 [M, M], infinite on the diagonal and where a centre is gone.
  """

  centres: jax.Array
  size: jax.Array
  cost: jax.Array


def merge_centres(
  centres: jax.Array, size: jax.Array, number: int
) -> jax.Array:
  """Merges two centres after the other, until a given number is left.

  Each time it merges the two that raise the sum of squared distances of rows to
  their centres least: n_i n_j / (n_i + n_j) |c_i - c_j|^2 (Ward, "Hierarchical
  grouping to optimize an objective function", 1963). It takes O(M^2) memory,
  and O(M^2) operations a merge.

  Args:
    centres: float32 [M, C].
    size: float32 [M], how many rows each has. Those without rows are left out,
      unless fewer than `number` have rows.
    number: how many to return, at most M.

  Returns:
    float32 [number, C].
  """
  size = size.astype(jnp.float32)
  start = _Merging(
    centres,
    size,
    jax.vmap(_costs, (0, None, None))(jnp.arange(len(size)), centres, size),
  )

  def has_too_many(merging: _Merging) -> jax.Array:
    return jnp.sum(merging.size > 0) > number

  def merge(merging: _Merging) -> _Merging:
    centres, size, cost = merging
    first, second = jnp.unravel_index(cost.argmin(), cost.shape)
    pair = jnp.stack([first, second])
    total = size[pair].sum()
    mean = (size[pair, None] * centres[pair]).sum(0) / total
    centres = centres.at[first].set(mean)
    size = size.at[first].set(total).at[second].set(0)
    for one in (first, second):
      costs = _costs(one, centres, size)
      cost = cost.at[one].set(costs).at[:, one].set(costs)
    return _Merging(centres, size, cost)

  merged = jax.lax.while_loop(has_too_many, merge, start)
  # Stable, so that those with rows come first, in their order.
  left = jnp.argsort(merged.size <= 0, stable=True)[:number]
  return merged.centres[left]


def _costs(one: jax.Array, centres: jax.Array, size: jax.Array) -> jax.Array:
  """Returns the costs [M] of merging a centre with each of the others."""
  apart = ((centres - centres[one]) ** 2).sum(1)
  weight = size * size[one] / jnp.maximum(size + size[one], 1)
  possible = (size > 0) & (size[one] > 0) & (jnp.arange(len(size)) != one)
  return jnp.where(possible, weight * apart, jnp.inf)
