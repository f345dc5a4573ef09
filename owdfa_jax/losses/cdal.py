"""CDAL's losses, which CPL and MPSL can add.

References:
  Zheng et al., Learning Counterfactually Decoupled Attention for Open-World
  Model Attribution, ICCV 2025.
"""

import jax

from owdfa_jax.losses import common
from owdfa_jax.models.counterfactual import CounterfactualOutputs


def attention_effect_loss(
  outputs: CounterfactualOutputs, label: jax.Array, margin: float
) -> jax.Array:
  """Computes how much the factual attention maps tell about the classes.

  For original and degraded features each: CE_m(y) + CE_m(y - y^) - H(softmax
  y^), where y are the logits by the factual maps, y^ those by counterfactual
  maps, and CE_m is `common.margin_cross_entropy`.

  The loss is low if the factual logits are right, the difference to the
  counterfactual logits is right, and the counterfactual prediction is uniform.
  CDAL adds 0.5 times this to the loss.

  Nothing bounds the subtracted entropy, so the loss can be negative for large
  K.

  Args:
    outputs: the branch's outputs for B rows.
    label: int32 [B]; unlabelled rows, of label -1, do not count.
    margin: added to the true class's logit.

  Returns:
    float32 [], the sum of both means over the labelled rows.
  """
  # The branch is trained on both, so that the maps also work there.
  original = _effect(
    label,
    margin,
    factual=outputs.factual,
    counterfactual=outputs.counterfactual,
  )
  degraded = _effect(
    label,
    margin,
    factual=outputs.augmented_factual,
    counterfactual=outputs.augmented_counterfactual,
  )
  return common.masked_mean(original + degraded, label >= 0)


def feature_distance(outputs: CounterfactualOutputs) -> jax.Array:
  """Computes the mean distance of original and degraded features.

  ||F_m - F'_m|| over all maps m but the sampled one, and over all rows, since
  no label is needed. CDAL adds 0.2 times this to the loss.

  Args:
    outputs: the branch's outputs.

  Returns:
    float32 [].
  """
  return outputs.distance.mean()


def _effect(
  label: jax.Array,
  margin: float,
  *,
  factual: jax.Array,
  counterfactual: jax.Array,
) -> jax.Array:
  """Returns the effect of each row, float32 [B]; logits are [B, K]."""
  return (
    common.margin_cross_entropy(factual, label, margin)
    + common.margin_cross_entropy(factual - counterfactual, label, margin)
    - common.entropy(jax.nn.softmax(counterfactual))
  )
