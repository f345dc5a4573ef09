"""The loss of the pseudo-labels that a rule selects."""

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common


def pseudo_label_loss(
  logits: jax.Array,
  target: jax.Array,
  *,
  mask: jax.Array,
  unlabelled: jax.Array,
) -> jax.Array:
  """Computes the mean over unlabelled rows of mask * CE(logits, target).

  Rejected rows count as 0. CAL's ACR averages over accepted rows only, see
  `cal.accepted_cross_entropy`.

  Args:
    logits: float [B, K].
    target: int [B], the rule's labels.
    mask: bool [B], the rows that the rule selected.
    unlabelled: bool [B].

  Returns:
    float32 [].

  References:
    Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency
    and Confidence, NeurIPS 2020.
  """
  cross_entropy = common.integer_cross_entropy(logits, target)
  return common.masked_mean(jnp.where(mask, cross_entropy, 0), unlabelled)
