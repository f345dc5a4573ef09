"""ORCA: its margin follows the uncertainty, its pairs cross the views."""

import jax
import jax.numpy as jnp
import numpy as np

from helpers.batches import CLOCK, make_batch
from owdfa_jax.losses import common
from owdfa_jax.methods.orca import ORCA

KEY = jax.random.key(0)


def two_views():
  first, rows = make_batch(0)
  second, _ = make_batch(1)
  return (first, second), rows


def test_total_is_its_terms():
  outputs, rows = two_views()
  method = ORCA(pair_weight=0.3, entropy_weight=0.7)
  state = method.init(6, 100)
  total, result = method.loss(outputs, rows, CLOCK, state, KEY)
  terms = result.terms
  np.testing.assert_allclose(
    total,
    terms['cross_entropy'] + 0.3 * terms['pairs'] - 0.7 * terms['entropy'],
    rtol=1e-6,
  )
  partner = result.partners['partner']
  expected = common.agreement(
    outputs[0].logits, outputs[1].logits[partner]
  ).mean()
  np.testing.assert_allclose(terms['pairs'], expected, rtol=1e-6)
  assert not np.any(partner[~rows.labelled] == np.flatnonzero(~rows.labelled))


def test_margin_relaxes_while_uncertain():
  outputs, rows = two_views()
  method = ORCA()
  blank = method.init(6, 100)
  cost = lambda uncertainty: method.loss(
    outputs,
    rows,
    CLOCK,
    blank.replace(uncertainty=jnp.float32(uncertainty)),
    KEY,
  )[1].terms['cross_entropy']
  plain = common.masked_mean(
    common.margin_cross_entropy(outputs[0].logits, rows.label, 0.0),
    rows.labelled,
  )
  np.testing.assert_allclose(cost(0.0), plain, rtol=1e-6)
  assert cost(1.0) < cost(0.5) < cost(0.0)


def test_uncertainty_is_that_of_the_epochs_unlabelled_rows():
  outputs, rows = two_views()
  method = ORCA()
  state = method.init(6, 100)
  for seen in (outputs, outputs[::-1]):
    state = method.loss(seen, rows, CLOCK, state, KEY)[1].state
  state, head = method.end_epoch(state, 'head', CLOCK)
  confidence = [
    jax.nn.softmax(seen.logits).max(-1)[~rows.labelled] for seen in outputs
  ]
  np.testing.assert_allclose(
    state.uncertainty, 1 - np.mean(confidence), rtol=1e-5
  )
  assert head == 'head'
  assert state.count == 0 and state.confidence == 0
  after, _ = method.end_epoch(state, head, CLOCK)
  assert after.uncertainty == state.uncertainty
