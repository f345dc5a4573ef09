"""Rules that select unlabelled rows and give them labels, for any method.

A rule is a frozen dataclass; its state is a pytree of fixed shapes. Rules carry
no gradient. `pseudo_label_loss` has the loss that goes with them.
"""

import dataclasses
from typing import Any

import jax
from typing_extensions import override

from owdfa_jax.losses.flexmatch import FlexMatch
from owdfa_jax.losses.freematch import FreeMatch
from owdfa_jax.losses.pseudo_label_loss import Rule, predict
from owdfa_jax.losses.rule_parameters import (
  FixMatchParameters,
  MaxProbabilityParameters,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaxProbability(MaxProbabilityParameters, Rule):
  """Selects every unlabelled row, with its most probable class."""

  @override
  def __call__(
    self, state: Any, logits: jax.Array, index: jax.Array, unlabelled: jax.Array
  ) -> tuple[jax.Array, jax.Array, Any]:
    del index
    return unlabelled, predict(logits)[2], state


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
    _, confidence, target = predict(logits)
    return unlabelled & (confidence >= self.threshold), target, state


# By the names in `rule_parameters.RULE_PARAMETERS`.
RULES: dict[str, type[Rule]] = {
  'max': MaxProbability,
  'fixmatch': FixMatch,
  'flexmatch': FlexMatch,
  'freematch': FreeMatch,
}
