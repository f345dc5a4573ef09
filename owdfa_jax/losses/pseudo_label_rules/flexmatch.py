"""FlexMatch: a confidence threshold for each class."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from typing_extensions import override

from owdfa_jax.losses import common
from owdfa_jax.losses.pseudo_label_rules.base import Rule
from owdfa_jax.losses.pseudo_label_rules.parameters import FlexMatchParameters


class FlexMatchState(NamedTuple):
  """The state of FlexMatch.

  Attributes:
    selected: int32 [num_examples], the class of each example's last confident
      prediction; -1 before the first one.
    class_accuracy: float32 [K], learning progress by class, in [0, 1].
  """

  selected: jax.Array
  class_accuracy: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlexMatch(FlexMatchParameters, Rule):
  """Selects by a threshold for each class, lower if it is learnt less.

  max p >= tau a_c / (2 - a_c), where a_c is the progress of the predicted class
  before this step. A class without a confident prediction so far has threshold
  0: all rows that are predicted as this class are selected.

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
    _, confidence, target = common.predict(logits)
    progress = state.class_accuracy[target]
    mask = confidence >= self.threshold * progress / (2 - progress)
    confident = unlabelled & (confidence >= self.threshold)
    selected = _remember(
      state.selected, index=index, target=target, sure=confident
    )
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
  selected: jax.Array, *, index: jax.Array, target: jax.Array, sure: jax.Array
) -> jax.Array:
  """Writes `target` at `index` where `sure`.

  If an index occurs twice, writes the last.
  """
  rows = rows_to_write(index, sure, len(selected))
  return selected.at[rows].set(target, mode='drop')


def rows_to_write(
  index: jax.Array, sure: jax.Array, num_examples: int
) -> jax.Array:
  """Returns the example that each row of a batch is written to, int32 [B].

  A scatter writes duplicates in no fixed order: two runs would differ. So each
  example occurs once, at its last sure row; other rows get `num_examples`,
  which a scatter can drop.

  Args:
    index: int32 [B], the example of each row.
    sure: bool [B].
    num_examples: N, above every index.
  """
  position = jnp.arange(len(index))
  same = (index[:, None] == index) & sure
  later = jnp.any(same & (position > position[:, None]), axis=1)
  return jnp.where(sure & ~later, index, num_examples)
