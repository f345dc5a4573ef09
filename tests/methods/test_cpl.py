"""CPL against the recorded losses, and what must not change it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.batches import CLOCK, make_batch
from helpers.recorded import cases, recorded
from input_pipeline.errors import UserError
from owdfa_jax.losses import counterfactual
from owdfa_jax.methods.base import Rows
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.models.counterfactual import CounterfactualOutputs

TERMS = {
  'cross_entropy': 'ce',
  'voting': 'glv',
  'pseudo': 'csp',
  'entropy': 'en',
}


@pytest.mark.golden
def test_total_and_terms_agree_with_the_reference(golden):
  file = golden('cpl_losses')
  for case in cases(file):
    total, terms = CPL().total(*recorded(file, case))
    np.testing.assert_allclose(total, file[f'{case}_total_loss'], rtol=1e-5)
    for ours, theirs in TERMS.items():
      np.testing.assert_allclose(
        terms[ours], file[f'{case}_{theirs}_loss'], rtol=1e-5, atol=1e-7
      )


@pytest.mark.golden
def test_gradient_agrees_with_the_reference(golden):
  file = golden('cpl_losses')
  for case in cases(file):
    logits, *rest = recorded(file, case)
    grad = jax.grad(lambda z, rest=rest: CPL().total(z, *rest)[0])(logits)
    assert np.isfinite(grad).all()
    if np.abs(logits).max() < 100:
      # Beyond, torch's binary cross entropy has a gradient of its own making.
      np.testing.assert_allclose(
        grad, file[f'{case}_grad_total_loss'], atol=1e-5
      )


def test_total_does_not_depend_on_the_order_of_the_batch():
  outputs, rows = make_batch()
  draw = np.random.default_rng(1)
  size = len(rows.label)
  partner = draw.integers(0, size, size)
  vote = draw.random(size) < 0.5
  gumbel = draw.gumbel(size=outputs.logits.shape).astype(np.float32)
  order = draw.permutation(size)
  place = np.argsort(order)
  expected, _ = CPL().total(outputs.logits, rows, partner, vote, gumbel)
  permuted, _ = CPL().total(
    outputs.logits[order],
    Rows(label=rows.label[order], index=rows.index[order]),
    place[partner[order]],
    vote[order],
    gumbel[order],
  )
  np.testing.assert_allclose(permuted, expected, rtol=1e-5)


def test_no_gradient_reaches_the_features():
  outputs, rows = make_batch()

  def loss(feature, parts):
    seen = outputs.replace(feature=feature, parts=(parts,))
    return CPL().loss((seen,), rows, CLOCK, (), jax.random.key(0))[0]

  grads = jax.grad(loss, argnums=(0, 1))(outputs.feature, outputs.parts[0])
  assert all(not np.any(grad) for grad in grads)


def test_filter_decides_who_takes_part():
  outputs, rows = make_batch()
  key = jax.random.key(0)
  pseudo = {
    name: CPL(pseudo_filter=name)
    .loss((outputs,), rows, CLOCK, (), key)[1]
    .terms['pseudo']
    for name in ('none', 'vote', 'union')
  }
  # CPL has one local view, so any view is that view.
  assert pseudo['vote'] == pseudo['union']
  assert pseudo['none'] > pseudo['vote'] > 0


@pytest.mark.parametrize('field', ['vote_rule', 'pseudo_filter'])
def test_unknown_settings_are_named(field):
  with pytest.raises(UserError, match=f'{field}=nonsense'):
    CPL(**{field: 'nonsense'})


def test_counterfactual_terms_join_the_total():
  outputs, rows = make_batch()
  draw = np.random.default_rng(0)
  logits = lambda: jnp.asarray(draw.normal(size=(16, 6)), jnp.float32)
  seen = CounterfactualOutputs(
    logits(), logits(), logits(), logits(), jnp.arange(16.0)
  )
  outputs = outputs.replace(counterfactual=seen)
  method = CPL(counterfactual=True, effect_weight=0.3, match_weight=0.1)
  key = jax.random.key(0)
  total, result = method.loss((outputs,), rows, CLOCK, (), key)
  plain, _ = CPL().loss((outputs,), rows, CLOCK, (), key)
  effect = counterfactual.auxiliary(seen, rows.label, 0.2)
  np.testing.assert_allclose(total, plain + 0.3 * effect + 0.1 * 7.5, rtol=1e-6)
  assert result.terms['match'] == 7.5
  assert CPL(counterfactual=True).branches.counterfactual
