"""FixMatch: one confidence threshold for all classes."""

import dataclasses
from typing import Any

import jax
from typing_extensions import override

from owdfa_jax.losses import common
from owdfa_jax.losses.pseudo_label_rules.base import Rule
from owdfa_jax.losses.pseudo_label_rules.parameters import FixMatchParameters


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
    prediction = common.predict(logits)
    confident = prediction.confidence >= self.threshold
    return unlabelled & confident, prediction.label, state
