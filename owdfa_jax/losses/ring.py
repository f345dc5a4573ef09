"""Compares the rows of a batch around a ring of devices.

Each device keeps the left factors of its own rows. The right factors travel:
every device sends them to the one before it, until each has seen all. A device
so holds the features of its own rows and of those that visit it, not those of
the whole batch.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax.losses.similarity import (
  BestTwo,
  Factors,
  Neighbours,
  best_two,
  merge_best_two,
  product,
)


class _Found(NamedTuple):
  """What a device has found out about its own rows.

  Attributes:
    nearest: int32 [b], the most similar other row.
    similarity: float32 [b], of the two.
    row: the best two of each row of similarities, float32 [b] each.
  """

  nearest: jax.Array
  similarity: jax.Array
  row: BestTwo


def around_ring(
  views: Sequence[Factors], mesh: jax.sharding.Mesh, group: int
) -> list[Neighbours]:
  """Compares the rows of each group of neighbouring devices.

  Args:
    views: the factors of each view's similarities, with B rows.
    mesh: the devices that the rows are split over, along one axis, `data`.
    group: devices of a group, at least 2; it divides the number of devices.

  Returns:
    For each view, the neighbours of each row in its group.
  """
  split = jax.P('data')
  compare = jax.shard_map(
    lambda *local: _compare_local(local, mesh.size, group),
    mesh=mesh,
    in_specs=split,
    out_specs=split,
  )
  return compare(*views)


def _compare_local(
  views: Sequence[Factors], devices: int, group: int
) -> list[Neighbours]:
  """Does one device's part, for the b rows that it has of each view."""
  here = jax.lax.axis_index('data')
  first = here - here % group
  ring = [(i, i - i % group + (i - 1) % group) for i in range(devices)]

  def send(tree: Any) -> Any:
    return jax.lax.ppermute(tree, 'data', ring)

  lefts = [view.left for view in views]
  pairs = [_compare(view, here, own=True) for view in views]
  found = [rows for rows, _ in pairs]
  # What is known of a column travels with the row that it belongs to.
  rights = send([view.right for view in views])
  columns = send([column for _, column in pairs])

  def hop(number: jax.Array, carry: Any) -> Any:
    rights, columns, found = carry
    source = first + (here - first + number) % group
    # Not after the comparison, so that the compiler can do both at once. The
    # last hop sends the rows home for nothing, and the columns for the result.
    sent = send(rights)
    visitors = map(Factors, lefts, rights)
    pairs = [_compare(view, source, own=False) for view in visitors]
    found = [_merge(a, b) for a, (b, _) in zip(found, pairs, strict=True)]
    columns = [
      merge_best_two(a, b) for a, (_, b) in zip(columns, pairs, strict=True)
    ]
    return sent, send(columns), found

  _, columns, found = jax.lax.fori_loop(1, group, hop, (rights, columns, found))
  return [
    Neighbours(rows.nearest, rows.row[1], column[1])
    for rows, column in zip(found, columns, strict=True)
  ]


def _compare(
  view: Factors, source: jax.Array, *, own: bool
) -> tuple[_Found, BestTwo]:
  """Compares a device's rows with the b rows of a device.

  Args:
    view: the left factor of this device, the right one of the other.
    source: int32 [], the number of the other device.
    own: whether it is this device.

  Returns:
    What is found about the rows, and the best two of each column.
  """
  similarity = product(view)
  others = similarity
  if own:
    others = jnp.where(jnp.eye(len(others), dtype=bool), -jnp.inf, others)
  position = jnp.argmax(others, axis=1).astype(jnp.int32)
  found = _Found(
    nearest=source * len(others) + position,
    similarity=others.max(axis=1),
    row=best_two(similarity, axis=1),
  )
  return found, best_two(similarity, axis=0)


def _merge(left: _Found, right: _Found) -> _Found:
  """Joins what two comparisons found; the first of equal rows is nearest."""
  closer = right.similarity > left.similarity
  closer |= (right.similarity == left.similarity) & (
    right.nearest < left.nearest
  )
  return _Found(
    nearest=jnp.where(closer, right.nearest, left.nearest),
    similarity=jnp.where(closer, right.similarity, left.similarity),
    row=merge_best_two(left.row, right.row),
  )
