"""CPL against the recorded losses, and what must not change it."""

import dataclasses

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
from owdfa_jax.losses.attention_effect import attention_effect
from owdfa_jax.methods.base import Rows
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


@pytest.mark.golden
def test_total_and_terms_agree_with_the_reference(golden):
  file = golden('cpl_losses')
  for case, (logits, *rest) in recorded_cases(file, 'mask_1'):
    result = weighted_terms(CPL(), logits, *rest)
    check_terms(result, file, case, TERMS)


@pytest.mark.golden
def test_gradient_agrees_with_the_reference(golden):
  file = golden('cpl_losses')
  for case, (logits, *rest) in recorded_cases(file, 'mask_1'):
    total = lambda z, rest=rest: weighted_terms(CPL(), z, *rest)[0]
    check_gradients(jax.grad(total)(logits), logits, file, case)


def test_total_does_not_depend_on_the_order_of_the_batch():
  outputs, rows = make_batch()
  draw = np.random.default_rng(1)
  size = len(rows.label)
  partner = draw.integers(0, size, size)
  vote = draw.random(size) < 0.5
  gumbel = draw.gumbel(size=outputs.logits.shape).astype(np.float32)
  order = draw.permutation(size)
  new_position = np.argsort(order)
  expected, _ = weighted_terms(
    CPL(), outputs.logits, rows, partner, vote, gumbel
  )
  permuted, _ = weighted_terms(
    CPL(),
    outputs.logits[order],
    Rows(label=rows.label[order], index=rows.index[order]),
    new_position[partner[order]],
    vote[order],
    gumbel[order],
  )
  np.testing.assert_allclose(permuted, expected, rtol=1e-5)


def test_no_gradient_reaches_the_features():
  outputs, rows = make_batch()

  def loss(feature, parts):
    moved = outputs.replace(feature=feature, parts=(parts,))
    return CPL().loss(make_context((moved,), rows))[0]

  grads = jax.grad(loss, argnums=(0, 1))(outputs.feature, outputs.parts[0])
  assert all(not np.any(grad) for grad in grads)


def test_pseudo_filter_selects_the_rows_with_pseudo_labels():
  outputs, rows = make_batch()
  context = make_context((outputs,), rows)
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
  outputs, rows = make_batch()
  draw = np.random.default_rng(0)
  logits = lambda: jnp.asarray(draw.normal(size=(16, 6)), jnp.float32)
  branch = CounterfactualOutputs(
    logits(), logits(), logits(), logits(), jnp.arange(16.0)
  )
  context = make_context((outputs.replace(counterfactual=branch),), rows)
  method = CPL(counterfactual=True, effect_weight=0.3, match_weight=0.1)
  total, result = method.loss(context)
  without, _ = dataclasses.replace(method, counterfactual=False).loss(context)
  effect = attention_effect(branch, rows.label, 0.2)
  np.testing.assert_allclose(
    total, without + 0.3 * effect + 0.1 * 7.5, rtol=1e-6
  )
  assert result.terms['match'] == 7.5
  assert method.branches.counterfactual
