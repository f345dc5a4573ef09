"""Rules that select unlabelled rows and give them labels, for any method.

A rule is a frozen dataclass whose state is a pytree of fixed shapes. The loss
that goes with it, `pseudo_label_loss`, is the mean over unlabelled rows of
mask * CE(logits, target). Rules carry no gradient.
"""

import dataclasses
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from typing_extensions import override

from owdfa_jax.losses import common
from owdfa_jax.losses.rule_parameters import (
  FixMatchParameters,
  FlexMatchParameters,
  FreeMatchParameters,
  MaxProbabilityParameters,
)


class Rule(Protocol):
  """What a pseudo-label rule offers."""

  def init(self, num_classes: int, num_examples: int) -> Any:
    """Returns the state before the first step; empty by default.

    Args:
      num_classes: K, the width of the logits.
      num_examples: size of the training split, which `index` points into.
    """
    del num_classes, num_examples
    return ()

  def __call__(
    self, state: Any, logits: jax.Array, index: jax.Array, unlabelled: jax.Array
  ) -> tuple[jax.Array, jax.Array, Any]:
    """Selects rows and their labels, and updates the state.

    Args:
      state: as `init` or the previous call returned it.
      logits: float [B, K].
      index: int [B], each row's place in the training split.
      unlabelled: bool [B], the rows to select from.

    Returns:
      The selected rows, bool [B], False on labelled rows; the predicted
      classes, int32 [B]; the new state.
    """
    ...


def pseudo_label_loss(
  logits: jax.Array, target: jax.Array, mask: jax.Array, unlabelled: jax.Array
) -> jax.Array:
  """Computes the mean over unlabelled rows of mask * CE(logits, target).

  A rejected row counts as 0 in the mean, so that a few accepted rows do not
  weigh as much as a full batch of them. (CAL's ACR does otherwise, see
  `cal.accepted_cross_entropy`.)

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
  cross_entropy = common.hard_pseudo_label(logits, target)
  return common.masked_mean(jnp.where(mask, cross_entropy, 0), unlabelled)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaxProbability(MaxProbabilityParameters, Rule):
  """Selects every unlabelled row, with its most probable class."""

  @override
  def __call__(
    self, state: Any, logits: jax.Array, index: jax.Array, unlabelled: jax.Array
  ) -> tuple[jax.Array, jax.Array, Any]:
    del index
    return unlabelled, _prediction(logits)[2], state


@dataclasses.dataclass(frozen=True, kw_only=True)
class FixMatch(FixMatchParameters, Rule):
  """Selects rows whose confidence is at least `threshold`.

  max p >= tau. The paper predicts on a weak view and trains on a strong one;
  here both are the view whose logits the rule is given.

  References:
    Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency
    and Confidence, NeurIPS 2020.
  """

  @override
  def __call__(
    self, state: Any, logits: jax.Array, index: jax.Array, unlabelled: jax.Array
  ) -> tuple[jax.Array, jax.Array, Any]:
    del index
    _, confidence, target = _prediction(logits)
    return unlabelled & (confidence >= self.threshold), target, state


class FlexMatchState(NamedTuple):
  """The state of FlexMatch.

  Attributes:
    selected: int32 [num_examples], the class that each example was last
      confidently given; -1 before the first time.
    class_accuracy: float32 [K], learning progress by class, in [0, 1].
  """

  selected: jax.Array
  class_accuracy: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlexMatch(FlexMatchParameters, Rule):
  """Selects by a threshold for each class, lower if it is learnt less.

  max p >= tau a_c / (2 - a_c), where a_c is the progress of the predicted class
  before this step. A class to which no example was confidently given has
  threshold 0: all rows that are predicted as it are selected.

  References:
    Zhang et al., FlexMatch: Boosting Semi-Supervised Learning with Curriculum
    Pseudo Labeling, NeurIPS 2021.
  """

  @override
  def init(self, num_classes: int, num_examples: int) -> FlexMatchState:
    return FlexMatchState(
      selected=jnp.full(num_examples, -1, jnp.int32),
      class_accuracy=jnp.zeros(num_classes, jnp.float32),
    )

  @override
  def __call__(
    self,
    state: FlexMatchState,
    logits: jax.Array,
    index: jax.Array,
    unlabelled: jax.Array,
  ) -> tuple[jax.Array, jax.Array, FlexMatchState]:
    _, confidence, target = _prediction(logits)
    progress = state.class_accuracy[target]
    mask = confidence >= self.threshold * progress / (2 - progress)
    confident = unlabelled & (confidence >= self.threshold)
    selected = _remember(state.selected, index, target, confident)
    accuracy = self._class_accuracy(selected, state.class_accuracy)
    return unlabelled & mask, target, FlexMatchState(selected, accuracy)

  def _class_accuracy(
    self, selected: jax.Array, previous: jax.Array
  ) -> jax.Array:
    """Returns the progress of each class, float32 [K]."""
    # Comparing with every class fuses into one pass; a scatter-add would not.
    classes = jnp.arange(len(previous))
    count = jnp.sum(selected[:, None] == classes, axis=0)
    never = len(selected) - jnp.sum(count)
    most = jnp.max(count)
    largest = jnp.maximum(most, never) if self.warm_up else most
    all_equal = jnp.maximum(most, never) == len(selected)
    # While no example was ever selected, `largest` may be 0; the quotient is
    # not used then, but must be finite.
    accuracy = count / jnp.maximum(largest, 1)
    # The released code does not recount while all examples are equal.
    return jnp.where(all_equal, previous, accuracy.astype(jnp.float32))


def _remember(
  selected: jax.Array, index: jax.Array, target: jax.Array, sure: jax.Array
) -> jax.Array:
  """Writes `target` at `index` where `sure`, the last row of each index only.

  Scattering duplicates in no particular order would make two runs differ.
  """
  position = jnp.arange(len(index))
  same = (index[:, None] == index) & sure
  later = jnp.any(same & (position > position[:, None]), axis=1)
  # An index past the end is dropped.
  target_row = jnp.where(sure & ~later, index, len(selected))
  return selected.at[target_row].set(target, mode='drop')


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
    prob, confidence, target = _prediction(logits)
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
    relative = state.class_mean / jnp.max(state.class_mean)
    threshold = state.time_threshold * relative[target]
    return unlabelled & (confidence >= threshold), target, state


def _prediction(logits: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns probabilities [B, K], the largest [B], and its class int32 [B]."""
  logits = jax.lax.stop_gradient(logits).astype(jnp.float32)
  prob = jax.nn.softmax(logits)
  return prob, prob.max(axis=-1), jnp.argmax(prob, axis=-1).astype(jnp.int32)


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
  ordered = jnp.sort(jnp.where(mask, values, jnp.inf))
  rank = quantile * (jnp.sum(mask) - 1).astype(values.dtype)
  below = jnp.floor(rank).astype(jnp.int32)
  above = jnp.ceil(rank).astype(jnp.int32)
  low, high = ordered[below], ordered[above]
  return low + (rank - below) * (high - low)


# By the names in `rule_parameters.RULE_PARAMETERS`.
RULES: dict[str, type[Rule]] = {
  'max': MaxProbability,
  'fixmatch': FixMatch,
  'flexmatch': FlexMatch,
  'freematch': FreeMatch,
}
