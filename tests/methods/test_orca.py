"""ORCA: its margin follows the uncertainty, its pairs cross the views."""

import jax
import jax.numpy as jnp
import numpy as np

from helpers.batches import EPOCH_INFO, make_context, make_two_views
from owdfa_jax.losses import common
from owdfa_jax.methods.orca import ORCA


def test_total_is_the_weighted_sum_of_its_terms():
  outputs, labels = make_two_views()
  method = ORCA(pair_weight=0.3, entropy_weight=0.7)
  context = make_context(outputs, labels, state=method.init(6, 100))
  total, extras = method.loss(context)
  terms = extras.terms
  np.testing.assert_allclose(
    total,
    terms['cross_entropy'] + 0.3 * terms['pairs'] - 0.7 * terms['entropy'],
    rtol=1e-6,
  )


def test_pairs_join_the_two_views():
  outputs, labels = make_two_views()
  context = make_context(outputs, labels, state=ORCA().init(6, 100))
  _, extras = ORCA().loss(context)
  partner = extras.partners['partner']
  expected = common.agreement_loss(
    outputs[0].logits, outputs[1].logits[partner]
  ).mean()
  np.testing.assert_allclose(extras.terms['pairs'], expected, rtol=1e-6)
  assert not np.any(
    partner[~labels.labelled] == np.flatnonzero(~labels.labelled)
  )


def test_margin_grows_with_the_uncertainty():
  outputs, labels = make_two_views()
  state = ORCA().init(6, 100)

  def cross_entropy(uncertainty):
    state_then = state.replace(uncertainty=jnp.float32(uncertainty))
    context = make_context(outputs, labels, state=state_then)
    return ORCA().loss(context)[1].terms['cross_entropy']

  without_margin = common.masked_mean(
    common.margin_cross_entropy(outputs[0].logits, labels.label, 0.0),
    labels.labelled,
  )
  np.testing.assert_allclose(cross_entropy(0.0), without_margin, rtol=1e-6)
  assert cross_entropy(1.0) < cross_entropy(0.5) < cross_entropy(0.0)


def test_uncertainty_is_that_of_the_epochs_unlabelled_rows():
  outputs, labels = make_two_views()
  state = ORCA().init(6, 100)
  for views in (outputs, outputs[::-1]):
    state = ORCA().loss(make_context(views, labels, state=state))[1].state
  state, head = ORCA().end_epoch(state, 'head', EPOCH_INFO)
  confidence = [
    jax.nn.softmax(view.logits).max(-1)[~labels.labelled] for view in outputs
  ]
  np.testing.assert_allclose(
    state.uncertainty, 1 - np.mean(confidence), rtol=1e-5
  )
  assert head == 'head'
  assert state.count == 0 and state.confidence == 0
  # An epoch without unlabelled rows leaves the uncertainty as it was.
  after, _ = ORCA().end_epoch(state, head, EPOCH_INFO)
  assert after.uncertainty == state.uncertainty
