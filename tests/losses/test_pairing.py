"""Pairing by hand, and what must hold on any batch."""

import math

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.batches import random_pairing_batch
from owdfa_jax import parallel
from owdfa_jax.losses import pairing, similarity
from owdfa_jax.models.perspectives import LocalViews

MPSL = jax.jit(
  pairing.mpsl_partners, static_argnames=('vote_rule', 'mesh', 'within')
)


def run_mpsl(batch, **options):
  return MPSL(**batch, **options)


def cpl_batch(batch):
  rest = {k: v for k, v in batch.items() if k not in ('parts', 'bands')}
  return {**rest, 'parts': batch['parts'][0]}


@pytest.mark.parametrize('rule', pairing.VOTES)
def test_eight_devices_pair_the_same_rows_as_one(rule):
  batch = random_pairing_batch()
  placement = parallel.make_placement()
  spread = jax.device_put(batch, placement.by_batch)
  alone = run_mpsl(batch, vote_rule=rule)
  together = run_mpsl(spread, vote_rule=rule, mesh=placement.mesh)
  jax.tree.map(np.testing.assert_array_equal, together, alone)
  assert 0 < alone[0].vote.sum() < 16


@pytest.mark.parametrize('devices', [2, 3, 4, 8])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_devices_that_send_feature_maps_pair_the_same_rows(devices, dtype):
  rows = 24
  batch = random_pairing_batch(rows)
  draw = np.random.default_rng(1).normal(size=(rows, 8, 8, 8))
  feature_map = draw + batch['feature'][:, None, None]
  views = LocalViews.of(jnp.asarray(feature_map, dtype), (3, 5, 7))
  batch |= {'parts': views.parts(), 'bands': views.bands()}
  alone = run_mpsl(batch)
  placement = parallel.make_placement(jax.devices()[:devices])
  spread = jax.device_put(batch, placement.by_batch)
  moved = jax.device_put(views.feature_map, placement.by_batch)
  moments = jax.device_put(views.moments, placement.replicated)
  spread['local_views'] = views.replace(feature_map=moved, moments=moments)
  together = run_mpsl(spread, mesh=placement.mesh)
  jax.tree.map(np.testing.assert_array_equal, together, alone)
  assert 0 < alone[0].vote.sum() < rows // 2


@pytest.mark.parametrize('rule', pairing.VOTES)
def test_order_of_the_batch_does_not_matter(rule):
  batch = random_pairing_batch()
  order = np.random.default_rng(1).permutation(32)
  moved = jax.tree.map(lambda x: x[order], batch)
  pairs, *views = run_mpsl(batch, vote_rule=rule)
  moved_pairs, *moved_views = run_mpsl(moved, vote_rule=rule)
  unlabelled = ~moved['labelled']
  np.testing.assert_array_equal(moved_pairs.vote, pairs.vote[order])
  np.testing.assert_array_equal(moved_pairs.either, pairs.either[order])
  np.testing.assert_array_equal(
    order[moved_pairs.nearest], pairs.nearest[order]
  )
  # A labelled row's partner is drawn by position, so it may be another one.
  np.testing.assert_array_equal(
    order[moved_pairs.index][unlabelled], pairs.index[order][unlabelled]
  )
  for view, moved_view in zip(views, moved_views, strict=True):
    np.testing.assert_array_equal(moved_view.accepted, view.accepted[:, order])


def test_labels_of_unlabelled_rows_are_not_read():
  batch = random_pairing_batch()
  poisoned = np.where(batch['labelled'], batch['label'], 3)
  jax.tree.map(
    np.testing.assert_array_equal,
    run_mpsl(batch),
    run_mpsl({**batch, 'label': poisoned}),
  )


def test_similarities_of_zero_features_are_finite():
  batch = random_pairing_batch()
  batch['feature'][3] = 0
  batch['parts'] = [
    part * (np.arange(32) > 5)[:, None, None] for part in batch['parts']
  ]
  batch['bands'] = [np.zeros_like(band) for band in batch['bands']]
  assert np.isfinite(similarity.cosine_similarity(batch['feature'])).all()
  assert np.isfinite(similarity.part_similarity(batch['parts'][0])).all()
  np.testing.assert_array_equal(
    similarity.band_similarity(batch['bands'][0]), 0
  )
  pairs, *_ = run_mpsl(batch)
  assert ((0 <= pairs.index) & (pairs.index < 32)).all()


def test_no_array_has_the_size_batch_by_batch_by_cells():
  batch = random_pairing_batch(rows=32, channels=8)
  jaxpr = jax.make_jaxpr(pairing.mpsl_partners)(**batch)
  shapes = set(all_shapes(jaxpr.jaxpr))
  assert (32, 32) in shapes
  assert not [s for s in shapes if s.count(32) > 1 and math.prod(s) > 32 * 32]
  with_cells = jax.make_jaxpr(
    jax.jit(lambda x: jnp.einsum('bpc,dpc->bdp', x, x))
  )(jnp.zeros((32, 9, 8)))
  assert {(32, 32, 9), (9, 32, 32)} & set(all_shapes(with_cells.jaxpr))


def all_shapes(jaxpr):
  """Yields the shapes of all values in a program and its subprograms."""
  for equation in jaxpr.eqns:
    yield from (v.aval.shape for v in equation.outvars)
    for inner in jax.extend.core.jaxprs_in_params(equation.params):
      yield from all_shapes(inner)


def test_votes_by_hand():
  # Rows 0 and 1 are each other's nearest; row 2 sits closer to 0 than to 1.
  view = similarity.neighbours_of(
    jnp.array([[1.0, 0.9, 0.8], [0.9, 1.0, 0.1], [0.5, 0.4, 1.0]])
  )
  nearest = jnp.array([1, 0, 1])
  # Second largest of the rows: .9 .9 .5; of the columns: .9 .9 .8.
  assert pairing.value_vote(view, nearest).tolist() == [1, 1, 0]
  assert pairing.agreement_vote(view, nearest).tolist() == [1, 1, 0]
  # The value vote accepts candidate 2 for rows 0 and 1; agreement does not.
  nearest = jnp.array([2, 2, 0])
  assert pairing.value_vote(view, nearest).tolist() == [1, 1, 0]
  assert pairing.agreement_vote(view, nearest).tolist() == [0, 0, 1]


def test_all_other_rows_of_the_class_are_equally_likely():
  label = jnp.array([7, 2, 7, -1, 7, 7, -1])
  labelled = label >= 0
  draws = np.linspace(0, 1, 300, endpoint=False, dtype=np.float32) + 1e-4

  def partner(draw):
    return pairing.same_class_partner(
      draw=jnp.full(7, draw), label=label, labelled=labelled
    )

  chosen = np.asarray(jax.vmap(partner)(draws))
  assert np.bincount(chosen[:, 0], minlength=7).tolist() == [
    0,
    0,
    100,
    0,
    100,
    100,
    0,
  ]
  assert np.bincount(chosen[:, 4], minlength=7).tolist() == [
    100,
    0,
    100,
    0,
    0,
    100,
    0,
  ]
  # The only row of a class and unlabelled rows get themselves.
  assert (chosen[:, [1, 3, 6]] == [1, 3, 6]).all()


@pytest.mark.parametrize('draw', [0.0, 1 - 2**-24])
def test_extreme_draws_give_a_row_of_the_class(draw):
  label = jnp.array([1, 0, 1, 1])
  partner = pairing.same_class_partner(
    draw=jnp.full(4, draw, jnp.float32), label=label, labelled=label >= 0
  )
  assert partner[0] in (2, 3) and partner[1] == 1 and partner[3] in (0, 2)


def test_cpl_equals_mpsl_with_one_view():
  batch = random_pairing_batch()
  cpl = pairing.glv_partners(**cpl_batch(batch))
  one = {**batch, 'parts': batch['parts'][:1], 'bands': [batch['parts'][0] * 0]}
  # A band of zeros has equal similarities, so it accepts every candidate.
  pairs, *_ = run_mpsl(one)
  np.testing.assert_array_equal(pairs.index, cpl.index)
  np.testing.assert_array_equal(pairs.vote, cpl.vote)
