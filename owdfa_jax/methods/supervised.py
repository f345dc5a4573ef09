"""Cross entropy on the labelled rows: both bounds of every benchmark."""

import dataclasses
from typing import Any

import jax

from owdfa_jax.losses import common
from owdfa_jax.methods.base import Clock, Method, Result, Rows
from owdfa_jax.models.outputs import Outputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supervised(Method):
  """Which rows are labelled is the data's business, not the method's.

  With `data.supervision = 'labelled'` this is the lower bound, with 'all'
  (every training label given) the upper bound.
  """

  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    clock: Clock,
    state: Any,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the mean cross entropy of the labelled rows."""
    del clock, key
    cross_entropy = common.masked_mean(
      common.margin_cross_entropy(outputs[0].logits, rows.label, margin=0.0),
      rows.labelled,
    )
    return cross_entropy, Result(
      terms={'cross_entropy': cross_entropy}, state=state
    )
