"""CPL against the recorded losses, and what must not change it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.batches import make_batch, make_context
from helpers.recorded import (
  check_gradients,
  check_terms,
  recorded_cases,
)
from input_pipeline.errors import UserError
from owdfa_jax.losses.cdal import attention_effect_loss
from owdfa_jax.methods.base import VisibleLabels
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.methods.neighbour_voting import weighted_terms
from owdfa_jax.models.counterfactual import CounterfactualOutputs

# The released code's names of the terms.
TERMS = {
  'cross_entropy': 'ce',
  'voting': 'glv',
  'pseudo': 'csp',
  'entropy': 'en',
}


# Compiled once for each shape of a batch.
terms = jax.jit(functools.partial(weighted_terms, CPL()))
terms_and_gradient = jax.jit(
  jax.value_and_grad(functools.partial(weighted_terms, CPL()), has_aux=True)
)


@pytest.mark.golden
def test_total_terms_and_gradient_agree_with_the_reference(golden):
  file = golden('cpl_losses')
  for case, batch in recorded_cases(file, 'mask_1'):
    logits = batch.pop('logits')
    result, gradient = terms_and_gradient(logits, **batch)
    check_terms(result, file, case, TERMS)
    check_gradients(gradient, logits, file, case)


def test_total_does_not_depend_on_the_order_of_the_batch():
  outputs, labels = make_batch()
  draw = np.random.default_rng(1)
  size = len(labels.label)
  partner = draw.integers(0, size, size)
  vote = draw.random(size) < 0.5
  gumbel = draw.gumbel(size=outputs.logits.shape).astype(np.float32)
  order = draw.permutation(size)
  new_position = np.argsort(order)
  expected, _ = terms(
    outputs.logits, labels, partner=partner, chosen=vote, gumbel=gumbel
  )
  permuted, _ = terms(
    outputs.logits[order],
    VisibleLabels(label=labels.label[order], index=labels.index[order]),
    partner=new_position[partner[order]],
    chosen=vote[order],
    gumbel=gumbel[order],
  )
  np.testing.assert_allclose(permuted, expected, rtol=1e-5)


def test_no_gradient_reaches_the_features():
  outputs, labels = make_batch()

  def loss(feature, feature_map):
    views = outputs.local_views.replace(feature_map=feature_map)
    moved = outputs.replace(feature=feature, local_views=views)
    return CPL().loss(make_context((moved,), labels))[0]

  gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))
  grads = gradient(outputs.feature, outputs.local_views.feature_map)
  assert all(not np.any(grad) for grad in grads)


def test_pseudo_filter_selects_the_rows_with_pseudo_labels():
  outputs, labels = make_batch()
  context = make_context((outputs,), labels)
  pseudo = {
    name: CPL(pseudo_filter=name).loss(context)[1].terms['pseudo']
    for name in ('none', 'vote', 'union')
  }
  # CPL has a single local view, so "any view accepts" means that it does.
  assert pseudo['vote'] == pseudo['union']
  assert pseudo['none'] > pseudo['vote'] > 0


@pytest.mark.parametrize('field', ['vote_rule', 'pseudo_filter'])
def test_unknown_choices_are_named(field):
  with pytest.raises(UserError, match=f'{field}=nonsense; use one of'):
    CPL(**{field: 'nonsense'})


def test_counterfactual_terms_join_the_total():
  outputs, labels = make_batch()
  draw = np.random.default_rng(0)
  logits = lambda: jnp.asarray(draw.normal(size=(16, 6)), jnp.float32)
  branch = CounterfactualOutputs(
    factual=logits(),
    counterfactual=logits(),
    augmented_factual=logits(),
    augmented_counterfactual=logits(),
    distance=jnp.arange(16.0),
  )
  context = make_context((outputs.replace(counterfactual=branch),), labels)
  method = CPL(counterfactual=True, effect_weight=0.3, match_weight=0.1)
  total, extras = method.loss(context)
  without, _ = dataclasses.replace(method, counterfactual=False).loss(context)
  effect = attention_effect_loss(branch, labels.label, 0.2)
  np.testing.assert_allclose(
    total, without + 0.3 * effect + 0.1 * 7.5, rtol=1e-6
  )
  assert extras.terms['match'] == 7.5
  assert method.branches.counterfactual
