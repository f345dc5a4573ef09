"""Who is paired with whom: CPL's global-local voting, MPSL's multi-perception.

Everything works on the global batch, in float32 at full matrix precision, and
carries no gradient. Unlabelled rows are voted on, labelled rows draw a partner
of their class.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

EPSILON = 1e-12


class Partners(NamedTuple):
  """The pairing of one batch and what led to it, [B] each.

  Attributes:
    index: int32, each row's partner; the row itself where nothing was found.
    vote: bool, the nearest neighbour was accepted; False on labelled rows.
    either: bool, some local or frequency view accepted it (MPSL's union; equal
      to `vote` in CPL); False on labelled rows.
    nearest: int32, the nearest other row by the global feature.
  """

  index: jax.Array
  vote: jax.Array
  either: jax.Array
  nearest: jax.Array


class Views(NamedTuple):
  """What the bands, or the grids, of MPSL make of the batch, for diagnostics.

  Attributes:
    accepted: bool [V, B], each view's vote on the global nearest neighbour.
    nearest: int32 [V, B], each view's own nearest other row.
  """

  accepted: jax.Array
  nearest: jax.Array


def _detached(features: jax.Array) -> jax.Array:
  return jax.lax.stop_gradient(features).astype(jnp.float32)


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
  """[B, ...] and [B, ...] to all inner products [B, B]."""
  left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
  return jnp.matmul(left, right.T, precision=jax.lax.Precision.HIGHEST)


def _unit(vectors: jax.Array) -> jax.Array:
  """Unit length over the last axis; a zero vector stays zero."""
  norm = jnp.linalg.norm(vectors, axis=-1, keepdims=True)
  return vectors / jnp.maximum(norm, EPSILON)


def cosine_similarity(feature: jax.Array) -> jax.Array:
  """Cosines of all pairs of rows, [B, C] to float32 [B, B]."""
  unit = _unit(_detached(feature))
  return _product(unit, unit)


def part_similarity(parts: jax.Array) -> jax.Array:
  """Cosines of two images' cells, weighted by the first one's energy.

  S[i, j] = sum_c w[i, c] cos(l[i, c], l[j, c]) with w[i, c] = ||l[i, c]|| over
  the norm of all of row i's ||l[i, .]||: not symmetric. As w times the unit
  cell is the cell over the row's whole norm, S is one matrix product.

  Args:
    parts: float [B, P, C], P cells.

  Returns:
    float32 [B, B].
  """
  parts = _detached(parts)
  rows = _unit(parts.reshape(len(parts), -1))
  return _product(rows, _unit(parts))


def band_similarity(band: jax.Array) -> jax.Array:
  """Unweighted sum of the cells' cosines, [B, P, C] to float32 [B, B]."""
  unit = _unit(_detached(band))
  return _product(unit, unit)


def nearest_neighbour(similarity: jax.Array) -> jax.Array:
  """The most similar *other* row, float [B, B] to int32 [B].

  The row itself is left out by its position: with a duplicate in the batch the
  best of a row need not be the row itself. Alone in the batch, it is itself.
  """
  itself = jnp.eye(len(similarity), dtype=bool)
  others = jnp.where(itself, -jnp.inf, similarity)
  return jnp.argmax(others, axis=-1).astype(jnp.int32)


def _best_two(
  left: tuple[jax.Array, jax.Array], right: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
  """The largest two of two ordered pairs."""
  first = jnp.maximum(left[0], right[0])
  runner_up = jnp.minimum(left[0], right[0])
  return first, jnp.maximum(runner_up, jnp.maximum(left[1], right[1]))


def second_largest(values: jax.Array, axis: int) -> jax.Array:
  """Second largest along an axis, counting equals: of (3, 3, 1) it is 3."""
  # One pass that keeps the best two. `top_k` sorts (15 to 70 times slower on a
  # CPU at B = 128 to 4096) and, across sharded rows, gathers the whole matrix
  # where this reduction sends two numbers per column and device.
  lowest = jnp.full_like(values, -jnp.inf)
  start = jnp.full((), -jnp.inf, values.dtype)
  return jax.lax.reduce((values, lowest), (start, start), _best_two, (axis,))[1]


def value_vote(similarity: jax.Array, nearest: jax.Array) -> jax.Array:
  """The released code's test of a candidate in a local view, bool [B].

  Accepts when the second largest of the row (which counts the row itself) is
  no less than the second largest of the candidate's column as it is.

  Args:
    similarity: the view's float [B, B].
    nearest: int [B], each row's candidate.
  """
  row = second_largest(similarity, axis=1)
  return row >= second_largest(similarity, axis=0)[nearest]


def agreement_vote(similarity: jax.Array, nearest: jax.Array) -> jax.Array:
  """The papers' figure: the view's own nearest neighbour is the candidate."""
  return nearest_neighbour(similarity) == nearest


VOTES = {'value': value_vote, 'agreement': agreement_vote}


def same_class_partner(
  draw: jax.Array, label: jax.Array, labelled: jax.Array
) -> jax.Array:
  """Another labelled row of the same class, uniformly; itself if alone.

  Args:
    draw: float32 [B], uniform in [0, 1).
    label: int [B], read on labelled rows only.
    labelled: bool [B].

  Returns:
    int32 [B]; an unlabelled row gets itself.
  """
  itself = jnp.arange(len(label), dtype=jnp.int32)
  candidates = (label[:, None] == label) & labelled[:, None] & labelled
  candidates &= itself[:, None] != itself
  position = jnp.cumsum(candidates, axis=1, dtype=jnp.int32)
  count = position[:, -1]
  # Rounding must not take a draw next to 1 past the last candidate.
  chosen = jnp.minimum((draw * count).astype(jnp.int32), count - 1)
  hit = candidates & (position == chosen[:, None] + 1)
  partner = jnp.argmax(hit, axis=1).astype(jnp.int32)
  return jnp.where(count > 0, partner, itself)


def _pair(
  draw: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  nearest: jax.Array,
  vote: jax.Array,
  either: jax.Array,
) -> Partners:
  itself = jnp.arange(len(label), dtype=jnp.int32)
  voted = jnp.where(vote, nearest, itself)
  drawn = same_class_partner(draw, label, labelled)
  index = jnp.where(labelled, drawn, voted)
  return Partners(index, vote & ~labelled, either & ~labelled, nearest)


def glv_partners(
  draw: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  feature: jax.Array,
  parts: jax.Array,
  *,
  vote_rule: str = 'value',
) -> Partners:
  """CPL's global-local voting.

  Args:
    draw: float32 [B], uniform in [0, 1), for the labelled rows.
    label: int [B], read on labelled rows only.
    labelled: bool [B].
    feature: float [B, C], the global feature after the neck.
    parts: float [B, P, C], the local features of one grid.
    vote_rule: a key of `VOTES`.
  """
  nearest = nearest_neighbour(cosine_similarity(feature))
  vote = VOTES[vote_rule](part_similarity(parts), nearest)
  return _pair(draw, label, labelled, nearest, vote, vote)


def _view(
  similarities: list[jax.Array], nearest: jax.Array, vote_rule: str
) -> Views:
  vote = VOTES[vote_rule]
  accepted = jnp.stack([vote(s, nearest) for s in similarities])
  return Views(accepted, jnp.stack([*map(nearest_neighbour, similarities)]))


def mpsl_partners(
  draw: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  feature: jax.Array,
  parts: Sequence[jax.Array],
  bands: Sequence[jax.Array],
  *,
  vote_rule: str = 'value',
) -> tuple[Partners, Views, Views]:
  """MPSL's multi-perception voting: any band *and* any grid must accept.

  Args:
    draw: float32 [B], uniform in [0, 1), for the labelled rows.
    label: int [B], read on labelled rows only.
    labelled: bool [B].
    feature: float [B, C], the global feature after the neck.
    parts: one float [B, P, C] per grid.
    bands: one float [B, P, C] per detail band of the wavelet.
    vote_rule: a key of `VOTES`.

  Returns:
    The pairs, what the bands say and what the grids say.
  """
  nearest = nearest_neighbour(cosine_similarity(feature))
  band = _view([*map(band_similarity, bands)], nearest, vote_rule)
  grid = _view([*map(part_similarity, parts)], nearest, vote_rule)
  by_band, by_grid = band.accepted.any(axis=0), grid.accepted.any(axis=0)
  both, either = by_band & by_grid, by_band | by_grid
  return _pair(draw, label, labelled, nearest, both, either), band, grid


def perspectives(
  pairs: Partners, band: Views, grid: Views
) -> dict[str, jax.Array]:
  """The partner int32 [B] that each perspective of MPSL would choose.

  A single band or grid names its own nearest neighbour; a combination keeps the
  global one or falls back to the row itself, as the released meters do.
  """
  itself = jnp.arange(len(pairs.nearest), dtype=jnp.int32)

  def keep(accepted: jax.Array) -> jax.Array:
    return jnp.where(accepted, pairs.nearest, itself)

  by_band, by_grid = band.accepted.any(axis=0), grid.accepted.any(axis=0)
  return {
    'global': pairs.nearest,
    **{f'band{i}': row for i, row in enumerate(band.nearest, 1)},
    'any_band': keep(by_band),
    **{f'grid{i}': row for i, row in enumerate(grid.nearest, 1)},
    'any_grid': keep(by_grid),
    'either': keep(by_band | by_grid),
    'both': keep(by_band & by_grid),
  }


def partner_accuracy(
  partner: jax.Array,
  true_label: jax.Array,
  rows: jax.Array,
  *,
  count_self: bool = False,
) -> tuple[jax.Array, jax.Array]:
  """How many partners have the row's true class; a metric, never a loss.

  Args:
    partner: int [B].
    true_label: int [B], -1 where unknown: such a row or partner is left out.
    rows: bool [B], the rows to judge, for instance unlabelled and novel.
    count_self: count a row paired with itself, as right. The released meters
      do, which flatters a view that abstains.

  Returns:
    The number right and the number judged, int32 scalars.
  """
  judged = rows & (true_label >= 0) & (true_label[partner] >= 0)
  if not count_self:
    judged &= partner != jnp.arange(len(partner))
  right = judged & (true_label[partner] == true_label)
  return jnp.sum(right), jnp.sum(judged)
