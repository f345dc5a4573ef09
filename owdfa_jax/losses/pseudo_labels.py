"""Which unlabelled rows to trust: pseudo-label rules for any method.

A rule is a frozen dataclass whose state is a pytree of fixed shapes:
`init(num_classes, num_examples) -> state` and
`rule(state, logits, index, unlabelled) -> (mask, target, state)`. The loss that
goes with it is the mean over unlabelled rows of mask * CE(logits, target).
Nothing here carries a gradient.
"""

import dataclasses
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common


class Rule(Protocol):
  """What a pseudo-label rule offers."""

  def init(self, num_classes: int, num_examples: int) -> Any:
    """The state before the first step.

    Args:
      num_classes: K, the width of the logits.
      num_examples: size of the training split, which `index` points into.
    """
    ...

  def __call__(
    self, state: Any, logits: jax.Array, index: jax.Array, unlabelled: jax.Array
  ) -> tuple[jax.Array, jax.Array, Any]:
    """Chooses rows and labels, and moves the state on.

    Args:
      state: as `init` or the previous call left it.
      logits: float [B, K].
      index: int [B], each row's place in the training split.
      unlabelled: bool [B], the rows in question.

    Returns:
      mask bool [B], False on labelled rows; target int32 [B]; the new state.
    """
    ...


def _prediction(logits: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Probabilities [B, K], the largest [B] and its class int32 [B]."""
  logits = jax.lax.stop_gradient(logits).astype(jnp.float32)
  prob = jax.nn.softmax(logits)
  return prob, prob.max(axis=-1), jnp.argmax(prob, axis=-1).astype(jnp.int32)


def pseudo_label_loss(
  logits: jax.Array, target: jax.Array, mask: jax.Array, unlabelled: jax.Array
) -> jax.Array:
  """Mean over unlabelled rows of mask * CE; rejected rows count as 0.

  Args:
    logits: float [B, K].
    target: int [B], as the rule chose it.
    mask: bool [B], as the rule chose it.
    unlabelled: bool [B].

  Returns:
    float32 scalar.
  """
  cross_entropy = common.hard_pseudo_label(logits, target)
  return common.masked_mean(jnp.where(mask, cross_entropy, 0), unlabelled)


@dataclasses.dataclass(frozen=True)
class MaxProbability:
  """Takes every unlabelled row at its most probable class."""

  def init(self, num_classes: int, num_examples: int) -> tuple[()]:
    """Nothing to remember."""
    del num_classes, num_examples
    return ()

  def __call__(
    self,
    state: tuple[()],
    logits: jax.Array,
    index: jax.Array,
    unlabelled: jax.Array,
  ) -> tuple[jax.Array, jax.Array, tuple[()]]:
    """See `Rule`."""
    del index
    return unlabelled, _prediction(logits)[2], state


@dataclasses.dataclass(frozen=True)
class FixMatch:
  """Takes rows at least `threshold` sure (Sohn et al., 2020)."""

  threshold: float = 0.95

  def init(self, num_classes: int, num_examples: int) -> tuple[()]:
    """Nothing to remember."""
    del num_classes, num_examples
    return ()

  def __call__(
    self,
    state: tuple[()],
    logits: jax.Array,
    index: jax.Array,
    unlabelled: jax.Array,
  ) -> tuple[jax.Array, jax.Array, tuple[()]]:
    """See `Rule`."""
    del index
    _, confidence, target = _prediction(logits)
    return unlabelled & (confidence >= self.threshold), target, state


class FlexMatchState(NamedTuple):
  """FlexMatch's memory.

  Attributes:
    selected: int32 [num_examples], the class each example was last confidently
      given; -1 before the first time.
    class_accuracy: float32 [K], learning progress by class, in [0, 1].
  """

  selected: jax.Array
  class_accuracy: jax.Array


@dataclasses.dataclass(frozen=True)
class FlexMatch:
  """A threshold per class, lower where less is learnt (Zhang et al., 2021).

  The threshold of class c is threshold * a_c / (2 - a_c), with the progress a_c
  of before this step.

  Attributes:
    threshold: of a class learnt as well as any.
    warm_up: measure progress against the never-selected examples too, so that
      thresholds rise slowly at first.
  """

  threshold: float = 0.95
  warm_up: bool = True

  def init(self, num_classes: int, num_examples: int) -> FlexMatchState:
    """See `Rule`: nothing selected, no progress."""
    return FlexMatchState(
      selected=jnp.full(num_examples, -1, jnp.int32),
      class_accuracy=jnp.zeros(num_classes, jnp.float32),
    )

  def __call__(
    self,
    state: FlexMatchState,
    logits: jax.Array,
    index: jax.Array,
    unlabelled: jax.Array,
  ) -> tuple[jax.Array, jax.Array, FlexMatchState]:
    """See `Rule`."""
    _, confidence, target = _prediction(logits)
    progress = state.class_accuracy[target]
    mask = confidence >= self.threshold * progress / (2 - progress)
    sure = unlabelled & (confidence >= self.threshold)
    selected = _remember(state.selected, index, target, sure)
    accuracy = self._recount(selected, state.class_accuracy)
    return unlabelled & mask, target, FlexMatchState(selected, accuracy)

  def _recount(self, selected: jax.Array, before: jax.Array) -> jax.Array:
    # Comparing with every class fuses into one pass; a scatter-add would not.
    classes = jnp.arange(len(before))
    count = jnp.sum(selected[:, None] == classes, axis=0)
    never = len(selected) - jnp.sum(count)
    most = jnp.max(count)
    largest = jnp.maximum(most, never) if self.warm_up else most
    all_equal = jnp.maximum(most, never) == len(selected)
    # With nothing but never-selected examples `largest` may be 0; the result
    # is not used then.
    accuracy = count / jnp.maximum(largest, 1)
    return jnp.where(all_equal, before, accuracy.astype(jnp.float32))


def _remember(
  selected: jax.Array, index: jax.Array, target: jax.Array, sure: jax.Array
) -> jax.Array:
  """Writes `target` at `index` where `sure`; of one index the last row counts.

  Scattering duplicates in no particular order would make two runs differ.
  """
  position = jnp.arange(len(index))
  same = (index[:, None] == index) & sure
  later = jnp.any(same & (position > position[:, None]), axis=1)
  place = jnp.where(sure & ~later, index, len(selected))
  return selected.at[place].set(target, mode='drop')


class FreeMatchState(NamedTuple):
  """FreeMatch's moving averages, all starting at 1.

  Attributes:
    time_threshold: float32 scalar, of the batch's 0.8 quantile of confidence.
    class_mean: float32 [K], of the mean prediction.
    class_share: float32 [K], of the shares of predicted classes; no threshold
      reads it, it tells whether classes are left out.
  """

  time_threshold: jax.Array
  class_mean: jax.Array
  class_share: jax.Array


@dataclasses.dataclass(frozen=True)
class FreeMatch:
  """A threshold that follows the model's own confidence (Wang et al., 2023).

  The threshold of class c is time_threshold * class_mean[c] / max class_mean,
  with the averages of after this step.
  """

  momentum: float = 0.999
  quantile: float = 0.8

  def init(self, num_classes: int, num_examples: int) -> FreeMatchState:
    """See `Rule`: all averages start at 1."""
    del num_examples
    # Two arrays, not one twice: a buffer can be donated only once.
    return FreeMatchState(
      time_threshold=jnp.ones((), jnp.float32),
      class_mean=jnp.ones(num_classes, jnp.float32),
      class_share=jnp.ones(num_classes, jnp.float32),
    )

  def __call__(
    self,
    state: FreeMatchState,
    logits: jax.Array,
    index: jax.Array,
    unlabelled: jax.Array,
  ) -> tuple[jax.Array, jax.Array, FreeMatchState]:
    """See `Rule`."""
    del index
    prob, confidence, target = _prediction(logits)
    share = jax.nn.one_hot(target, prob.shape[-1])
    batch = FreeMatchState(
      time_threshold=masked_quantile(confidence, unlabelled, self.quantile),
      class_mean=_mean_of_rows(prob, unlabelled),
      class_share=_mean_of_rows(share, unlabelled),
    )
    some, keep = jnp.any(unlabelled), self.momentum
    state = jax.tree.map(
      lambda old, new: jnp.where(some, keep * old + (1 - keep) * new, old),
      state,
      batch,
    )
    relative = state.class_mean / jnp.max(state.class_mean)
    threshold = state.time_threshold * relative[target]
    return unlabelled & (confidence >= threshold), target, state


def _mean_of_rows(values: jax.Array, mask: jax.Array) -> jax.Array:
  """Mean [K] of the rows of [B, K] where `mask` [B] holds."""
  total = jnp.sum(jnp.where(mask[:, None], values, 0), axis=0)
  return total / jnp.maximum(jnp.sum(mask), 1)


def masked_quantile(
  values: jax.Array, mask: jax.Array, quantile: float
) -> jax.Array:
  """Quantile of `values` [B] where `mask` [B] holds, linearly interpolated.

  Equal to `jnp.quantile(values[mask], quantile)`, with shapes that do not
  depend on the data. The mask must hold somewhere.
  """
  ordered = jnp.sort(jnp.where(mask, values, jnp.inf))
  rank = quantile * (jnp.sum(mask) - 1).astype(values.dtype)
  below = jnp.floor(rank).astype(jnp.int32)
  above = jnp.ceil(rank).astype(jnp.int32)
  low, high = ordered[below], ordered[above]
  return low + (rank - below) * (high - low)


RULES: dict[str, type[Rule]] = {
  'max': MaxProbability,
  'fixmatch': FixMatch,
  'flexmatch': FlexMatch,
  'freematch': FreeMatch,
}
