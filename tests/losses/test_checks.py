"""Arguments of another rank or dtype are errors that name the argument."""

import jax.numpy as jnp
import pytest

from owdfa_jax.losses import cal, common, contrastive, pairing

LOGITS = jnp.ones((4, 3))
LABEL = jnp.zeros(4, jnp.int32)


@pytest.mark.parametrize(
  'loss, message',
  [
    (
      lambda: common.margin_cross_entropy(LOGITS.astype(int), LABEL, 0.2),
      r'logits must be floating-point of shape \[B, K\], got int32',
    ),
    (
      lambda: common.margin_cross_entropy(LOGITS, LABEL[:, None], 0.2),
      r'label must be integers of shape \[4\], got int32 of shape \(4, 1\)',
    ),
    (
      lambda: common.agreement_loss(LOGITS, LABEL),
      'others must be floating-point',
    ),
    (
      lambda: common.partner_agreement_loss(LOGITS, LABEL > 0),
      'partner must be integers',
    ),
    (
      lambda: common.masked_mean(LOGITS[:, 0], LOGITS > 0),
      'values and mask must have one shape',
    ),
    # A mask and labels in each other's place.
    (
      lambda: cal.accepted_cross_entropy(LOGITS, LABEL, LABEL > 0),
      'target must be integers',
    ),
    (
      lambda: contrastive.supervised_contrastive(
        LOGITS, LOGITS, LABEL > 0, LABEL, temperature=1.0
      ),
      'label must be integers',
    ),
    (
      lambda: pairing.same_class_partner(
        draw=jnp.zeros(4), label=LABEL > 0, labelled=LABEL
      ),
      'label must be integers',
    ),
  ],
)
def test_wrong_arguments_are_named(loss, message):
  with pytest.raises(ValueError, match=message):
    loss()
