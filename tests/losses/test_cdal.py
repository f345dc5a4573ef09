"""CDAL's losses by hand-computed cases and by their properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax.losses import common
from owdfa_jax.losses.cdal import attention_effect_loss, feature_distance
from owdfa_jax.models.counterfactual import CounterfactualOutputs

pytestmark = pytest.mark.usefixtures('quick_compile')
LABEL = np.array([0, -1, 2, -1, 1, 1])


def make_outputs(batch=6, classes=3):
  draws = np.random.RandomState(0)
  names = (
    'factual',
    'counterfactual',
    'augmented_factual',
    'augmented_counterfactual',
  )
  logits = draws.randn(4, batch, classes).astype(np.float32)
  distance = np.abs(draws.randn(batch)).astype(np.float32)
  return CounterfactualOutputs(
    **dict(zip(names, logits, strict=True)), distance=distance
  )


def test_attention_effect_by_hand():
  y, other = np.float32([[2, 0, 1]]), np.float32([[1, 1, 1]])
  zero = np.zeros_like(y)
  outputs = CounterfactualOutputs(
    factual=y,
    counterfactual=other,
    augmented_factual=zero,
    augmented_counterfactual=zero,
    distance=np.zeros(1),
  )

  def cross_entropy(logits):
    logits = logits + np.float32([0.2, 0, 0])
    return np.log(np.exp(logits).sum()) - logits[0]

  original = cross_entropy(y[0]) + cross_entropy(y[0] - 1) - np.log(3)
  degraded = 2 * cross_entropy(zero[0]) - np.log(3)
  np.testing.assert_allclose(
    attention_effect_loss(outputs, np.array([0]), 0.2),
    original + degraded,
    rtol=1e-5,
  )


def test_counterfactual_predictions_are_pushed_towards_uniform():
  # A common shift keeps y - y^, so that only the entropy acts on y^.
  outputs = make_outputs()

  def loss(shift):
    moved = outputs.replace(
      factual=outputs.factual + shift,
      counterfactual=outputs.counterfactual + shift,
    )
    cross_entropy = common.masked_mean(
      common.margin_cross_entropy(moved.factual, LABEL, 0.2), LABEL >= 0
    )
    return attention_effect_loss(moved, LABEL, 0.2) - cross_entropy

  step = -0.1 * jax.grad(loss)(jnp.zeros((6, 3)))
  before, after = (
    common.entropy(jax.nn.softmax(outputs.counterfactual + x))
    for x in (0, step)
  )
  labelled = LABEL >= 0
  assert (after > before)[labelled].all()
  np.testing.assert_array_equal(step[~labelled], 0)


def test_unlabelled_rows_do_not_matter_to_the_attention_effect():
  outputs = make_outputs()
  other = jax.tree.map(
    lambda x: np.where((LABEL < 0)[:, None] if x.ndim == 2 else False, 9, x),
    outputs,
  )
  for label in (LABEL, np.full(6, -1)):
    assert attention_effect_loss(outputs, label, 0.2) == attention_effect_loss(
      other, label, 0.2
    )
  assert attention_effect_loss(outputs, np.full(6, -1), 0.2) == 0


def test_permuted_rows_do_not_change_the_losses():
  order = np.random.RandomState(2).permutation(6)
  outputs = make_outputs()
  permuted = jax.tree.map(lambda x: x[order], outputs)
  np.testing.assert_allclose(
    attention_effect_loss(permuted, LABEL[order], 0.2),
    attention_effect_loss(outputs, LABEL, 0.2),
    rtol=1e-6,
  )
  np.testing.assert_allclose(
    feature_distance(permuted),
    feature_distance(outputs),
    rtol=1e-6,
  )


def test_feature_distance_is_the_mean_over_all_rows():
  outputs = make_outputs().replace(distance=np.float32([0, 1, 2, 3, 4, 5]))
  assert feature_distance(outputs) == 2.5
