"""Cross entropy on the labelled rows: both bounds of every benchmark."""

import dataclasses

import jax
from typing_extensions import override

from owdfa_jax.losses import common
from owdfa_jax.methods.base import Context, LossExtras, Method
from owdfa_jax.methods.parameters import SupervisedParameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supervised(SupervisedParameters, Method):
  """Supervised training: the mean cross entropy of the labelled rows.

  The data decides which rows are labelled. With `data.supervision='labelled'`
  this is the lower bound; with 'all', where every training row has its label,
  the upper bound.
  """

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    (outputs,) = context.outputs
    labels = context.labels
    cross_entropy = common.masked_mean(
      common.margin_cross_entropy(outputs.logits, labels.label, margin=0.0),
      labels.labelled,
    )
    return cross_entropy, LossExtras(
      terms={'cross_entropy': cross_entropy}, state=context.state
    )
