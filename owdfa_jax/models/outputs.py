"""What a method asks of a classifier, and what the classifier returns."""

import dataclasses
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

# The logit of a pruned output. It is finite because minus infinity times a
# probability of 0 would be NaN; no other logit comes near it.
PRUNED_LOGIT = -1e9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Branches:
  """What a classifier computes besides logits and the global feature.

  Attributes:
    grids: sides of the grids of `Outputs.local_views`; none if empty.
    frequency_attention: whether CAL's attention map, made from the image's
      spectrum, weighs the feature map; in evaluation too.
    cosine: whether a logit is 10 times the cosine of feature and prototype.
    projection: width of `Outputs.projection`; 0 for none.
    counterfactual: whether training returns `Outputs.counterfactual`.
    prunable: whether outputs can be pruned, that is masked for good.
  """

  grids: tuple[int, ...] = ()
  frequency_attention: bool = False
  cosine: bool = False
  projection: int = 0
  counterfactual: bool = False
  prunable: bool = False


@flax.struct.dataclass(kw_only=True)
class Outputs:
  """One forward pass over a batch of B images.

  All arrays are float32, but for the feature map of `local_views`.
  Fields with a default are empty in evaluation, and where `Branches` does not
  ask for them.

  Attributes:
    logits: [B, K], one column for each output; K is
      `Experiment.num_outputs`.
    feature: [B, C], the global feature after the batch-norm neck; in evaluation
      followed by the fixed projections of the spectrum branch, [B, C + P].
    local_views: a `models.perspectives.LocalViews`, by which CPL and MPSL pair
      rows. No gradient.
    projection: [B, D], of unit length, for contrastive losses.
    counterfactual: a `models.counterfactual.CounterfactualOutputs`.
  """

  logits: jax.Array
  feature: jax.Array
  local_views: Any = None
  projection: Any = None
  counterfactual: Any = None


@flax.struct.dataclass(kw_only=True)
class Head:
  """The network's last layer, which the end of an epoch may change.

  Attributes:
    prototypes: float32 [K, C], a row for each output.
    in_use: bool [K], the outputs that are not pruned.
  """

  prototypes: jax.Array
  in_use: jax.Array


def mask_pruned(logits: jax.Array, in_use: jax.Array) -> jax.Array:
  """Replaces the logits of pruned outputs, so that their probability is 0.

  Args:
    logits: float [B, K].
    in_use: bool [K], the outputs that are not pruned.

  Returns:
    float [B, K].
  """
  return jnp.where(in_use, logits, PRUNED_LOGIT)


def in_use_from_logits(logits: jax.Array) -> jax.Array:
  """Recovers the mask of `mask_pruned` from masked logits [B, K], bool [K].

  A loss sees logits only; this saves passing the mask along.
  """
  return logits[0] > PRUNED_LOGIT
