"""MaxProbability: every prediction is a pseudo-label."""

import dataclasses
from typing import Any

import jax
from typing_extensions import override

from owdfa_jax.losses import common
from owdfa_jax.losses.pseudo_label_rules.base import Rule
from owdfa_jax.losses.pseudo_label_rules.parameters import (
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
    return unlabelled, common.predict(logits).label, state
