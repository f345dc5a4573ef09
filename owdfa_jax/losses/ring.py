"""Compares the rows of a batch around a ring of devices.

Each device keeps its own rows. Copies of the others travel: every device sends
them to the one before it. A device so holds the features of its own rows and of
those that visit it, not those of the whole batch. Where views are made of fewer
bytes than they have, these travel, and the device that is visited makes the
views.

The similarities of two rows in both directions are made of the same cosines of
cells, which are most of the work. So each pair of devices meets once, halfway
round: the device that is visited finds out about both, and what it has found
about its visitors travels on with them, and home in the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax.losses.similarity import (
  BestTwo,
  Factors,
  Neighbours,
  best_two,
  merge_best_two,
)


class CompactViews(NamedTuple):
  """What views are made of, for devices to send in place of the views.

  Attributes:
    rows: arrays of B rows, which are sent.
    shared: arrays that serve all rows, and that every device has.
    factors: makes the factors of each view from some of the rows and `shared`.
  """

  rows: Any
  shared: Any
  factors: Callable[[Any, Any], Sequence[Factors]]


class _Cells(NamedTuple):
  """One view of b rows, which is enough to compare them with others.

  Attributes:
    unit: float32 [P, b, C], cells of length 1.
    weight: float32 [P, b], the row's weight of each cell; None if all are 1.
  """

  unit: jax.Array
  weight: jax.Array | None


class _Rows(NamedTuple):
  """What is known of b rows of similarities.

  Attributes:
    nearest: int32 [b], the most similar other row.
    similarity: float32 [b], of the two.
    best: the best two of each row, float32 [b] each.
  """

  nearest: jax.Array
  similarity: jax.Array
  best: BestTwo


class _Known(NamedTuple):
  """What is known of b rows, and of the columns that belong to them.

  Attributes:
    rows: of the similarities of these rows to others.
    column: the best two of the similarities of others to each of these rows,
      float32 [b] each.
  """

  rows: _Rows
  column: BestTwo


def around_ring(
  views: Sequence[Factors],
  compact: CompactViews | None,
  mesh: jax.sharding.Mesh,
  group: int,
) -> list[Neighbours]:
  """Compares the rows of each group of neighbouring devices.

  Args:
    views: the factors of each view's similarities, with B rows.
    compact: what to send in place of the views; None sends the views.
    mesh: the devices that the rows are split over, along one axis, `data`.
    group: devices of a group, at least 2; it divides the number of devices.

  Returns:
    For each view, the neighbours of each row in its group.
  """

  def compare(factors: Any, rows: Any, shared: Any) -> list[Neighbours]:
    own = [_cells(*view) for view in factors]
    if compact is None:
      return _compare_local(own, own, lambda cells: cells, mesh.size, group)

    def cells_of(rows: Any) -> list[_Cells]:
      made = compact.factors(rows, shared)
      return [_cells(view.right, view.weight) for view in made]

    return _compare_local(own, rows, cells_of, mesh.size, group)

  rows, shared = (compact.rows, compact.shared) if compact else ((), ())
  split = jax.P('data')
  return jax.shard_map(
    compare, mesh=mesh, in_specs=(split, split, jax.P()), out_specs=split
  )([(view.right, view.weight) for view in views], rows, shared)


def _compare_local(
  own: Sequence[_Cells],
  outgoing: Any,
  cells_of: Callable[[Any], Sequence[_Cells]],
  devices: int,
  group: int,
) -> list[Neighbours]:
  """Does one device's part.

  Args:
    own: each view of the b rows that the device has.
    outgoing: what it sends of them.
    cells_of: makes each view of what arrives.
    devices: the number of all devices.
    group: devices of a group.
  """
  here = jax.lax.axis_index('data')
  first = here - here % group

  def send(tree: Any, places: int) -> Any:
    """Sends to the device that many places before, around the group."""
    pairs = [(i, i - i % group + (i - places) % group) for i in range(devices)]
    return jax.lax.ppermute(tree, 'data', pairs)

  known = [_alone(view, here) for view in own]
  visitors = send(outgoing, 1)
  theirs = jax.tree.map(_below_all, known)

  def hop(number: jax.Array, carry: Any) -> Any:
    visitors, theirs, known = carry
    source = first + (here - first + number) % group
    # Not after the comparison, so that the compiler can do both at once.
    sent = send(visitors, 1)
    others = cells_of(visitors)
    for place, (mine, other) in enumerate(zip(own, others, strict=True)):
      to, back = _similarities(mine, other)
      known[place] = _merge(known[place], _rows(to, source), _column(back))
      theirs[place] = _merge(theirs[place], _rows(back, here), _column(to))
    return sent, send(theirs, 1), known

  half = (group + 1) // 2
  visitors, theirs, known = jax.lax.fori_loop(
    1, half, hop, (visitors, theirs, known)
  )
  if group % 2 == 0:
    # Two devices that face each other visit each other at the same time, so
    # each finds out about its own rows alone, and its visitors' columns.
    source = first + (here - first + half) % group
    others = cells_of(visitors)
    for place, (mine, other) in enumerate(zip(own, others, strict=True)):
      to, _ = _similarities(mine, other)
      known[place] = _merge(known[place], _rows(to, source))
      theirs[place] = _merge(theirs[place], column=_column(to))
  known = [
    _merge(mine, *home)
    for mine, home in zip(known, send(theirs, group - half), strict=True)
  ]
  return [
    Neighbours(x.rows.nearest, x.rows.best[1], x.column[1]) for x in known
  ]


def _cells(right: jax.Array, weight: jax.Array | None) -> _Cells:
  """Returns a view of b rows, with the cells first, as products take them."""
  if weight is None:
    # Without weights, a row is as good as one long cell.
    return _Cells(right.reshape(1, len(right), -1), None)
  return _Cells(right.transpose(1, 0, 2), weight.T)


def _similarities(mine: _Cells, other: _Cells) -> tuple[jax.Array, jax.Array]:
  """Returns the similarities of a rows to b others, and those of the b to them.

  Returns:
    float32 [a, b] and [b, a].
  """
  cosine = jnp.einsum(
    'pic,pjc->pij',
    mine.unit,
    other.unit,
    precision=jax.lax.Precision.HIGHEST,
  )
  if mine.weight is None or other.weight is None:
    (to,) = cosine
    return to, to.T
  to = (mine.weight[:, :, None] * cosine).sum(axis=0)
  back = (other.weight[:, None, :] * cosine).sum(axis=0)
  return to, back.T


def _alone(cells: _Cells, here: jax.Array) -> _Known:
  """Returns what a device finds out from its own rows."""
  similarity, _ = _similarities(cells, cells)
  itself = jnp.eye(len(similarity), dtype=bool)
  others = _rows(jnp.where(itself, -jnp.inf, similarity), here)
  rows = others._replace(best=best_two(similarity, axis=1))
  return _Known(rows, _column(similarity))


def _below_all(x: jax.Array) -> jax.Array:
  """Returns what is known before any comparison, in place of `x`."""
  lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else 0
  return jnp.full_like(x, lowest)


def _rows(similarity: jax.Array, source: jax.Array) -> _Rows:
  """Returns what is found about a rows from the b rows of a device.

  Args:
    similarity: float32 [a, b].
    source: int32 [], the number of the device that has the b rows.
  """
  position = jnp.argmax(similarity, axis=1).astype(jnp.int32)
  return _Rows(
    nearest=source * similarity.shape[1] + position,
    similarity=similarity.max(axis=1),
    best=best_two(similarity, axis=1),
  )


def _column(similarity: jax.Array) -> BestTwo:
  """Returns the best two of each column, of float32 [a, b]."""
  return best_two(similarity, axis=0)


def _merge(
  known: _Known, rows: _Rows | None = None, column: BestTwo | None = None
) -> _Known:
  """Adds what was found; the first of equally similar rows is nearest.

  Args:
    known: what was known.
    rows: what was found about the rows; None for nothing.
    column: what was found about their columns; None for nothing.
  """
  if column is not None:
    known = known._replace(column=merge_best_two(known.column, column))
  if rows is None:
    return known
  before = known.rows
  closer = rows.similarity > before.similarity
  closer |= (rows.similarity == before.similarity) & (
    rows.nearest < before.nearest
  )
  return known._replace(
    rows=_Rows(
      nearest=jnp.where(closer, rows.nearest, before.nearest),
      similarity=jnp.where(closer, rows.similarity, before.similarity),
      best=merge_best_two(before.best, rows.best),
    )
  )
