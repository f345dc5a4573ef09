"""CDAL's losses: its branch's share of a CPL or MPSL step."""

import jax

from owdfa_jax.losses import common
from owdfa_jax.models.counterfactual import CounterfactualOutputs


def auxiliary(
  outputs: CounterfactualOutputs, label: jax.Array, margin: float
) -> jax.Array:
  """The effect of the factual maps, for original and degraded features.

  For each: CE_m(y) + CE_m(y - y^) - H(softmax(y^)), y by the factual maps and
  y^ by the counterfactual ones: the maps must tell the classes, also beyond
  what any other maps tell, and those should tell nothing. CDAL adds 0.5 times
  this to the loss.

  Args:
    outputs: of the branch, for B rows.
    label: int32 [B], -1 on an unlabelled row, which does not count.
    margin: added to the true logit, see `common.margin_cross_entropy`.

  Returns:
    float32 [], the sum of both means over the labelled rows.
  """
  rows = _effect(
    outputs.factual, outputs.counterfactual, label, margin
  ) + _effect(
    outputs.augmented_factual, outputs.augmented_counterfactual, label, margin
  )
  return common.masked_mean(rows, label >= 0)


def match(outputs: CounterfactualOutputs) -> jax.Array:
  """Mean distance of original and degraded features, over all rows.

  ||F_m - F'_m||, but for the sampled map m. CDAL adds 0.2 times this.

  Args:
    outputs: of the branch.

  Returns:
    float32 [].
  """
  return outputs.distance.mean()


def _effect(
  factual: jax.Array,
  counterfactual: jax.Array,
  label: jax.Array,
  margin: float,
) -> jax.Array:
  return (
    common.margin_cross_entropy(factual, label, margin)
    + common.margin_cross_entropy(factual - counterfactual, label, margin)
    - common.entropy(jax.nn.softmax(counterfactual))
  )
