"""Losses against recorded numbers, their extremes and their invariances."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.recorded import GRADIENT, LOSS, cases, recorded_cases
from owdfa_jax.losses import common


def value_and_gradient(function, logits):
  return jax.jit(jax.value_and_grad(function))(jnp.asarray(logits))


@jax.jit
def terms_and_gradients(logits, labels, partner, chosen, gumbel, margin):
  """Returns the value and the gradient of each term; compiled for a shape."""

  def supervised(z):
    values = common.margin_cross_entropy(z, labels.label, margin)
    return common.masked_mean(values, labels.labelled)

  def pairs(z):
    return common.partner_agreement_loss(z, partner).mean()

  def pseudo(z):
    values = common.soft_pseudo_label_loss(z, gumbel) * chosen
    return common.masked_mean(values, ~labels.labelled)

  terms = supervised, pairs, pseudo, common.mean_prediction_entropy
  return [jax.value_and_grad(term)(logits) for term in terms]


@pytest.mark.golden
def test_margin_cross_entropy_as_recorded(golden):
  g = golden('margin_ce')

  @jax.jit
  @jax.value_and_grad
  def loss(z, target, margin):
    return common.margin_cross_entropy(z, target, margin).mean()

  for case in cases(g):
    for i, (margin, scale) in enumerate(g['m_s']):
      value, gradient = loss(
        g[f'{case}_logits'], g[f'{case}_target'], -margin * scale
      )
      np.testing.assert_allclose(value, g[f'{case}_loss'][i], **LOSS)
      np.testing.assert_allclose(gradient, g[f'{case}_grad'][i], **GRADIENT)


@pytest.mark.golden
def test_entropy_as_recorded(golden):
  g = golden('entropy')
  functions = {
    '': common.mean_prediction_entropy,
    '_samplewise': lambda z: common.entropy(jax.nn.softmax(z)).mean(),
  }
  for case in cases(g):
    for name, function in functions.items():
      value, gradient = value_and_gradient(function, g[f'{case}_logits'])
      np.testing.assert_allclose(value, g[f'{case}_entropy{name}'], **LOSS)
      np.testing.assert_allclose(
        gradient, g[f'{case}_grad_logits{name}'], **GRADIENT
      )


@pytest.mark.golden
def test_entropy_clamp_as_recorded(golden):
  g = golden('entropy')
  value, gradient = value_and_gradient(common.entropy, g['clamp_p'])
  np.testing.assert_allclose(value, g['clamp_entropy'], **LOSS)
  np.testing.assert_allclose(gradient, g['clamp_grad_p'], rtol=1e-5)
  below = g['clamp_p'] < np.float32(1e-8)
  assert below.any() and not gradient[below].any()


@pytest.mark.golden
@pytest.mark.parametrize(
  'name, mask, pair, soft',
  [('cpl_losses', 'mask_1', 'glv', 'csp'), ('mpsl_losses', None, 'mpv', 'fcp')],
)
def test_terms_and_their_gradients_as_recorded(golden, name, mask, pair, soft):
  g = golden(name)
  margin = -float(g['m'])
  for case, batch in recorded_cases(g, mask):
    found = terms_and_gradients(**batch, margin=margin)
    for term, (value, gradient) in zip(
      ('ce', pair, soft, 'en'), found, strict=True
    ):
      np.testing.assert_allclose(
        value, g[f'{case}_{term}_loss'], err_msg=f'{case} {term}', **LOSS
      )
      assert np.isfinite(gradient).all()
      # For saturated pairs PyTorch's binary cross entropy clamps the gradient.
      if term != pair or np.ptp(batch['logits']) <= 100:
        np.testing.assert_allclose(
          gradient, g[f'{case}_grad_{term}_loss'], **GRADIENT
        )


def test_masked_mean_without_rows_is_zero_with_a_finite_gradient():
  values = jnp.array([1.0, jnp.inf])
  nothing = jnp.array([False, False])
  value, gradient = jax.value_and_grad(common.masked_mean)(values, nothing)
  assert value == 0
  np.testing.assert_array_equal(gradient, [0, 0])


def test_masked_mean_ignores_values_outside_the_mask():
  values = jnp.array([1.0, jnp.nan, 3.0])
  assert common.masked_mean(values, jnp.array([True, False, True])) == 2


def test_margin_by_hand():
  logits = jnp.array([[0.0, 1.0]])
  # -log(e^0.2 / (e^0.2 + e))
  expected = np.log1p(np.exp(0.8))
  value = common.margin_cross_entropy(logits, jnp.array([0]), 0.2)
  np.testing.assert_allclose(value, [expected], rtol=1e-6)


def test_unlabelled_rows_have_no_cross_entropy_and_no_gradient():
  logits = jax.random.normal(jax.random.key(0), (3, 5))
  label = jnp.array([-1, 4, -1])

  def loss(z):
    return common.margin_cross_entropy(z, label, 0.2).sum()

  value, gradient = jax.value_and_grad(loss)(logits)
  alone = common.margin_cross_entropy(logits[1:2], label[1:2], 0.2)[0]
  np.testing.assert_allclose(value, alone, rtol=1e-6)
  assert not gradient[0].any() and gradient[1].any() and not gradient[2].any()


def test_agreement_by_hand():
  prob = np.array([[0.5, 0.5], [0.25, 0.75]])
  value = common.partner_agreement_loss(jnp.log(prob), jnp.array([1, 1]))
  np.testing.assert_allclose(value, -np.log([0.5, 0.625]), rtol=1e-6)


@pytest.mark.parametrize('scale', [1.0, 90.0, 99.0, 101.0, 1e4, 1e30])
def test_agreement_of_opposite_predictions_is_at_most_one_hundred(scale):
  logits = scale * jnp.eye(2)

  def loss(z):
    return common.partner_agreement_loss(z, jnp.array([1, 0])).mean()

  value, gradient = jax.value_and_grad(loss)(logits)
  # <p, q> = 2 e^s / (1 + e^s)^2, about 2 e^-s.
  exact = 2 * np.logaddexp(0, scale) - scale - np.log(2)
  np.testing.assert_allclose(value, min(exact, 100), rtol=1e-5)
  assert np.isfinite(gradient).all()
  assert gradient.any() == (exact < 100)


def test_confidence_weight_can_be_held_constant():
  logits, gumbel = jax.random.normal(jax.random.key(0), (2, 6, 4))

  def gradient(detach):
    def loss(z):
      rows = common.soft_pseudo_label_loss(z, gumbel, detach_confidence=detach)
      return rows.sum()

    return jax.grad(loss)(logits)

  prob, perturbed = jax.nn.softmax(logits), logits + gumbel
  chosen = jnp.argmax(perturbed, -1)
  confidence = prob[jnp.arange(6), chosen][:, None]
  expected = confidence * (prob - jax.nn.softmax(perturbed))
  np.testing.assert_allclose(gradient(True), expected, atol=1e-6)
  assert np.abs(gradient(False) - expected).max() > 1e-2


def test_integer_cross_entropy_by_hand():
  logits = jnp.log(jnp.array([[0.25, 0.75], [0.5, 0.5]]))
  value = common.integer_cross_entropy(logits, jnp.array([0, 1]))
  np.testing.assert_allclose(value, -np.log([0.25, 0.5]), rtol=1e-6)


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float32])
def test_every_loss_is_float32(dtype):
  logits = jnp.ones((4, 3), dtype)
  label = jnp.zeros(4, jnp.int32)
  noise = jnp.zeros((4, 3))
  assert common.margin_cross_entropy(logits, label, 0.2).dtype == jnp.float32
  assert common.partner_agreement_loss(logits, label).dtype == jnp.float32
  assert common.soft_pseudo_label_loss(logits, noise).dtype == jnp.float32
  assert common.integer_cross_entropy(logits, label).dtype == jnp.float32
  assert common.mean_prediction_entropy(logits).dtype == jnp.float32


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(
  logits=hnp.arrays(
    np.float32, (8, 5), elements=st.floats(-200, 200, width=32)
  ),
  seed=st.integers(0, 2**31 - 1),
)
def test_order_of_the_batch_does_not_matter(logits, seed):
  rng = np.random.default_rng(seed)
  order = rng.permutation(8)
  partner = rng.integers(0, 8, 8)
  gumbel = rng.gumbel(size=(8, 5)).astype(np.float32)
  label = rng.integers(-1, 5, 8)
  # Row r of the permuted batch is row order[r] of the original one.
  moved = np.argsort(order)[partner[order]]

  def every_loss(z, label, partner, gumbel):
    rows = (
      common.margin_cross_entropy(z, label, 0.2),
      common.partner_agreement_loss(z, partner),
      common.soft_pseudo_label_loss(z, gumbel),
    )
    return jnp.stack(rows), common.mean_prediction_entropy(z)

  rows, mean = every_loss(logits, label, partner, gumbel)
  moved_rows, moved_mean = every_loss(
    logits[order], label[order], moved, gumbel[order]
  )
  np.testing.assert_array_equal(moved_rows, rows[:, order])
  np.testing.assert_allclose(moved_mean, mean, rtol=1e-5, atol=1e-6)
  assert np.isfinite(rows).all()
