"""FreeMatch: confidence thresholds that follow the network's own confidence."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from typing_extensions import override

from owdfa_jax.losses import common
from owdfa_jax.losses.pseudo_label_rules.base import Rule
from owdfa_jax.losses.pseudo_label_rules.parameters import FreeMatchParameters


class FreeMatchState(NamedTuple):
  """The moving averages of FreeMatch, all starting at 1.

  Attributes:
    time_threshold: float32 [], of a quantile of the batch's confidences.
    class_mean: float32 [K], of the mean prediction.
    class_share: float32 [K], of the shares of the predicted classes. No
      threshold reads it; it shows which classes are left out.
  """

  time_threshold: jax.Array
  class_mean: jax.Array
  class_share: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class FreeMatch(FreeMatchParameters, Rule):
  """Selects by thresholds that follow the network's own confidence.

  max p >= tau_t p~_c / max p~, where tau_t is the time threshold and p~ the
  class mean, both after this step. They start at 1, so hardly any row passes
  until their averages have moved, which takes about 1 / (1 - momentum) steps.

  References:
    Wang et al., FreeMatch: Self-adaptive Thresholding for Semi-supervised
    Learning, ICLR 2023.
  """

  @override
  def init(self, num_classes: int, num_examples: int) -> FreeMatchState:
    del num_examples
    # Two arrays, not one twice: a buffer can be donated only once.
    return FreeMatchState(
      time_threshold=jnp.ones((), jnp.float32),
      class_mean=jnp.ones(num_classes, jnp.float32),
      class_share=jnp.ones(num_classes, jnp.float32),
    )

  @override
  def __call__(
    self,
    state: FreeMatchState,
    logits: jax.Array,
    index: jax.Array,
    unlabelled: jax.Array,
  ) -> tuple[jax.Array, jax.Array, FreeMatchState]:
    del index
    prob, confidence, target = common.predict(logits)
    predicted = jax.nn.one_hot(target, prob.shape[-1])
    batch = FreeMatchState(
      time_threshold=masked_quantile(confidence, unlabelled, self.quantile),
      class_mean=_mean_of_rows(prob, unlabelled),
      class_share=_mean_of_rows(predicted, unlabelled),
    )
    # A batch without unlabelled rows has no numbers to average.
    moves, keep = jnp.any(unlabelled), self.momentum
    state = jax.tree.map(
      lambda old, new: jnp.where(moves, keep * old + (1 - keep) * new, old),
      state,
      batch,
    )
    # FreeMatch reads the averages after this step, FlexMatch those before it.
    relative = state.class_mean / jnp.max(state.class_mean)
    threshold = state.time_threshold * relative[target]
    return unlabelled & (confidence >= threshold), target, state


def _mean_of_rows(values: jax.Array, mask: jax.Array) -> jax.Array:
  """Returns the mean [K] of the rows of [B, K] where `mask` [B] holds."""
  total = jnp.sum(jnp.where(mask[:, None], values, 0), axis=0)
  return total / jnp.maximum(jnp.sum(mask), 1)


def masked_quantile(
  values: jax.Array, mask: jax.Array, quantile: float
) -> jax.Array:
  """Computes a quantile of the selected values, interpolating linearly.

  Equal to `jnp.quantile(values[mask], quantile)`, but with shapes that do not
  depend on the data. It is infinite or NaN if the mask holds nowhere.

  Args:
    values: float [B].
    mask: bool [B], the values to take.
    quantile: in [0, 1].

  Returns:
    float [].
  """
  # Values that do not count sort to the end, behind all ranks in use.
  ordered = jnp.sort(jnp.where(mask, values, jnp.inf))
  rank = quantile * (jnp.sum(mask) - 1).astype(values.dtype)
  below = jnp.floor(rank).astype(jnp.int32)
  above = jnp.ceil(rank).astype(jnp.int32)
  low, high = ordered[below], ordered[above]
  return low + (rank - below) * (high - low)
