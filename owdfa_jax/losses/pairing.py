"""Pairs the rows of a batch.

CPL and MPSL: an unlabelled row gets its nearest neighbour if local views accept
it. A labelled row gets a random row of its class; ORCA uses that part only.
Everything works on the global batch, in float32 at full matrix precision, and
carries no gradient. `mesh` and `within` are those of `find_neighbours`: the
devices, and how many rows are compared with each other. The draw of a row of
the same class needs labels only, so it is always from the whole batch.

References:
  Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution,
  ICCV 2023 (CPL).
  Sun et al., Rethinking Open-World DeepFake Attribution with Multi-perspective
  Sensory Learning, IJCV 133(2), 2025 (MPSL).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax.losses.checks import check_label
from owdfa_jax.losses.neighbours import find_neighbours
from owdfa_jax.losses.ring import CompactViews
from owdfa_jax.losses.similarity import (
  Factors,
  Neighbours,
  band_factors,
  cosine_factors,
  part_factors,
)
from owdfa_jax.models.perspectives import LocalViews, Moments


class Partners(NamedTuple):
  """The pairing of one batch, and what led to it.

  Attributes:
    index: int32 [B], each row's partner; the row itself if it has none.
    vote: bool [B], whether the nearest neighbour was accepted; False on
      labelled rows.
    either: bool [B], whether any local or frequency view accepted it (the
      union in MPSL's figure; equal to `vote` in CPL); False on labelled rows.
    nearest: int32 [B], the nearest other row by the global feature.
  """

  index: jax.Array
  vote: jax.Array
  either: jax.Array
  nearest: jax.Array


class ViewVotes(NamedTuple):
  """The votes of MPSL's V bands, or of its V grids.

  Attributes:
    accepted: bool [V, B], each view's vote on the global nearest neighbour.
    nearest: int32 [V, B], each view's own nearest other row, for the log.
  """

  accepted: jax.Array
  nearest: jax.Array


def value_vote(view: Neighbours, nearest: jax.Array) -> jax.Array:
  """Accepts a candidate by comparing similarities, as the released code does.

  A candidate passes if the second largest value of the row, which counts the
  row itself, is no less than the second largest of the candidate's column. This
  is weaker than it looks: the view's own nearest neighbour may be another row.

  Args:
    view: the neighbours in the view.
    nearest: each row's candidate, int [B].

  Returns:
    bool [B].
  """
  return view.row_second >= view.column_second[nearest]


def agreement_vote(view: Neighbours, nearest: jax.Array) -> jax.Array:
  """Accepts the view's own nearest neighbour only, as the papers' figures show.

  Args:
    view: the neighbours in the view.
    nearest: each row's candidate, int [B].

  Returns:
    bool [B].
  """
  return view.nearest == nearest


# By the names in `methods.parameters.VOTE_RULE_NAMES`.
VOTES: dict[str, Callable[[Neighbours, jax.Array], jax.Array]] = {
  'value': value_vote,
  'agreement': agreement_vote,
}


def same_class_partner(
  *, draw: jax.Array, label: jax.Array, labelled: jax.Array
) -> jax.Array:
  """Draws another labelled row of the same class, all equally likely.

  Args:
    draw: float32 [B], uniform in [0, 1).
    label: int [B]; read on labelled rows only.
    labelled: bool [B].

  Returns:
    int32 [B]; the row itself for an unlabelled row, and for the only one of its
    class.

  Raises:
    ValueError: the labels are no integers, or have another shape.
  """
  check_label(len(draw), label=label)
  itself = jnp.arange(len(label), dtype=jnp.int32)
  candidates = (label[:, None] == label) & labelled[:, None] & labelled
  candidates &= itself[:, None] != itself
  # Counting the candidates of a row selects one of them without an array whose
  # size depends on the data, which a compiled step cannot have.
  position = jnp.cumsum(candidates, axis=1, dtype=jnp.int32)
  count = position[:, -1]
  chosen = (draw * count).astype(jnp.int32)
  hit = candidates & (position == chosen[:, None] + 1)
  partner = jnp.argmax(hit, axis=1).astype(jnp.int32)
  return jnp.where(count > 0, partner, itself)


def _pair(
  *,
  draw: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  nearest: jax.Array,
  vote: jax.Array,
  either: jax.Array,
) -> Partners:
  """Combines the votes on unlabelled rows with draws for labelled ones."""
  itself = jnp.arange(len(label), dtype=jnp.int32)
  # A row without a partner is paired with itself, which the loss of pairs turns
  # into a push towards confidence.
  voted = jnp.where(vote, nearest, itself)
  drawn = same_class_partner(draw=draw, label=label, labelled=labelled)
  index = jnp.where(labelled, drawn, voted)
  return Partners(
    index=index,
    vote=vote & ~labelled,
    either=either & ~labelled,
    nearest=nearest,
  )


def glv_partners(
  *,
  draw: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  feature: jax.Array,
  parts: jax.Array,
  vote_rule: str = 'value',
  mesh: jax.sharding.Mesh | None = None,
  within: int = 0,
) -> Partners:
  """Pairs rows by CPL's global-local voting (GLV).

  Args:
    draw: float32 [B], uniform in [0, 1), for the labelled rows.
    label: int [B]; read on labelled rows only.
    labelled: bool [B].
    feature: float [B, C], the global feature after the neck.
    parts: float [B, P, C], the local features of one grid.
    vote_rule: a key of `VOTES`.
    mesh: the devices that the rows are split over; None for one device.
    within: rows that are compared with each other; 0 for all.
  """
  whole, local = find_neighbours(
    [cosine_factors(feature), part_factors(parts)], mesh=mesh, within=within
  )
  nearest = whole.nearest
  vote = VOTES[vote_rule](local, nearest)
  return _pair(
    draw=draw,
    label=label,
    labelled=labelled,
    nearest=nearest,
    vote=vote,
    either=vote,
  )


def _collect_votes(
  views: Sequence[Neighbours], nearest: jax.Array, vote_rule: str
) -> ViewVotes:
  """Returns the votes of several views, given the neighbours in each."""
  vote = VOTES[vote_rule]
  return ViewVotes(
    accepted=jnp.stack([vote(view, nearest) for view in views]),
    nearest=jnp.stack([view.nearest for view in views]),
  )


def _mpsl_factors(
  feature: jax.Array, bands: Sequence[jax.Array], parts: Sequence[jax.Array]
) -> list[Factors]:
  """Returns the factors of MPSL's views: the whole, each band, each grid."""
  return [
    cosine_factors(feature),
    *map(band_factors, bands),
    *map(part_factors, parts),
  ]


def _mpsl_compact(feature: jax.Array, views: LocalViews) -> CompactViews:
  """Returns what the views of `_mpsl_factors` are made of."""

  def factors(
    rows: tuple[jax.Array, jax.Array], moments: tuple[Moments, ...]
  ) -> list[Factors]:
    feature, feature_map = rows
    local = LocalViews(feature_map, moments, views.grids)
    return _mpsl_factors(feature, local.bands(), local.parts())

  rows, moments = jax.lax.stop_gradient(
    ((feature, views.feature_map), views.moments)
  )
  return CompactViews(rows, moments, factors)


def mpsl_partners(
  *,
  draw: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  feature: jax.Array,
  parts: Sequence[jax.Array],
  bands: Sequence[jax.Array],
  local_views: LocalViews | None = None,
  vote_rule: str = 'value',
  mesh: jax.sharding.Mesh | None = None,
  within: int = 0,
) -> tuple[Partners, ViewVotes, ViewVotes]:
  """Pairs rows by MPSL's multi-perception voting (MPV).

  A neighbour must be accepted by any band *and* by any grid.

  Args:
    draw: float32 [B], uniform in [0, 1), for the labelled rows.
    label: int [B]; read on labelled rows only.
    labelled: bool [B].
    feature: float [B, C], the global feature after the neck.
    parts: one float [B, P, C] for each grid.
    bands: one float [B, P, C] for each detail band of the wavelet.
    local_views: what the parts and bands are made of, for devices to send in
      place of them. Of an 8 x 8 map it is half of the bytes in float32, and a
      quarter in bfloat16.
    vote_rule: a key of `VOTES`.
    mesh: the devices that the rows are split over; None for one device.
    within: rows that are compared with each other; 0 for all.

  Returns:
    The pairs, the bands' votes and the grids' votes.
  """
  compact = None
  if local_views is not None:
    compact = _mpsl_compact(feature, local_views)
  whole, *local = find_neighbours(
    _mpsl_factors(feature, bands, parts),
    compact=compact,
    mesh=mesh,
    within=within,
  )
  nearest = whole.nearest
  band = _collect_votes(local[: len(bands)], nearest, vote_rule)
  grid = _collect_votes(local[len(bands) :], nearest, vote_rule)
  by_band, by_grid = band.accepted.any(axis=0), grid.accepted.any(axis=0)
  pairs = _pair(
    draw=draw,
    label=label,
    labelled=labelled,
    nearest=nearest,
    vote=by_band & by_grid,
    either=by_band | by_grid,
  )
  return pairs, band, grid


def perspective_partners(
  pairs: Partners, band: ViewVotes, grid: ViewVotes
) -> dict[str, jax.Array]:
  """Returns the partner that each perspective of MPSL would choose.

  A single band or grid chooses its own nearest neighbour. A combination keeps
  the global nearest neighbour or falls back to the row itself, as the released
  code's meters do. For the log only.

  Returns:
    int32 [B] by the name of the perspective.
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
