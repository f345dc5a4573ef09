"""ORCA: open-world semi-supervised learning."""

import dataclasses

import flax
import jax
import jax.numpy as jnp
from typing_extensions import override

from owdfa_jax.losses import common, pairing
from owdfa_jax.losses.neighbours import find_neighbours
from owdfa_jax.losses.similarity import cosine_factors
from owdfa_jax.methods.base import Context, EpochInfo, LossExtras, Method
from owdfa_jax.methods.parameters import ORCAParameters
from owdfa_jax.models.outputs import Branches, Head


@flax.struct.dataclass
class ORCAState:
  """The last epoch's uncertainty, and the sums for this epoch's.

  Attributes:
    uncertainty: float32 [], 1 - mean confidence on unlabelled rows, gathered
      during the last epoch's steps. The authors' code makes a pass of its own
      over the data instead.
    confidence: float32 [], sum over this epoch's unlabelled rows so far.
    count: float32 [], number of these rows.
  """

  uncertainty: jax.Array
  confidence: jax.Array
  count: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class ORCA(ORCAParameters, Method):
  """Cross entropy with an uncertainty-adaptive margin, pairs across views.

  L = L_S + eta_1 L_P - eta_2 H: cross entropy with a margin, the agreement of
  paired rows, and the entropy of the mean prediction. The margin is
  `margin_scale` times the uncertainty of the last epoch, so that known classes,
  which are learnt fast, wait until the novel ones follow. An unlabelled row is
  paired with its nearest neighbour, a labelled row with one of its class; the
  two rows of a pair come from different views.

  References:
    Cao et al., Open-World Semi-Supervised Learning, ICLR 2022.
  """

  @property
  @override
  def views(self) -> tuple[str, ...]:
    return ('standard', 'standard')

  @property
  @override
  def branches(self) -> Branches:
    return Branches(cosine=True)

  @override
  def init(self, num_outputs: int, num_examples: int) -> ORCAState:
    del num_outputs, num_examples
    # Three arrays, not one used twice: the step donates its buffers. An
    # untrained network counts as fully uncertain.
    return ORCAState(
      uncertainty=jnp.ones((), jnp.float32),
      confidence=jnp.zeros((), jnp.float32),
      count=jnp.zeros((), jnp.float32),
    )

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    first, second = context.outputs
    labels, state = context.labels, context.state
    partner = self._partner(context)
    terms = {
      'cross_entropy': common.masked_mean(
        common.margin_cross_entropy(
          first.logits, labels.label, self.margin_scale * state.uncertainty
        ),
        labels.labelled,
      ),
      'pairs': common.agreement_loss(
        first.logits, second.logits[partner]
      ).mean(),
      'entropy': common.mean_prediction_entropy(first.logits),
    }
    total = (
      terms['cross_entropy']
      + self.pair_weight * terms['pairs']
      - self.entropy_weight * terms['entropy']
    )
    # Only numbers for the next epoch's margin: no gradient.
    confidence = common.predict(first.logits).confidence
    next_state = dataclasses.replace(
      state,
      confidence=state.confidence + jnp.sum(confidence * ~labels.labelled),
      count=state.count + jnp.sum(~labels.labelled),
    )
    return total, LossExtras(
      terms=terms | {'uncertainty': state.uncertainty},
      state=next_state,
      partners={'partner': partner},
    )

  def _partner(self, context: Context) -> jax.Array:
    """Returns each row's partner in the second view, int32 [B]."""
    labels = context.labels
    (found,) = find_neighbours(
      [cosine_factors(context.outputs[0].feature)], mesh=context.mesh
    )
    same_class = pairing.same_class_partner(
      draw=jax.random.uniform(context.key, labels.label.shape),
      label=labels.label,
      labelled=labels.labelled,
    )
    # Unlike CPL, ORCA has no local views that could reject a neighbour.
    return jnp.where(labels.labelled, same_class, found.nearest)

  @override
  def end_epoch(
    self, state: ORCAState, head: Head, epoch_info: EpochInfo
  ) -> tuple[ORCAState, Head]:
    del epoch_info
    mean = state.confidence / jnp.maximum(state.count, 1)
    uncertainty = jnp.where(state.count > 0, 1 - mean, state.uncertainty)
    # Two arrays again, for the same reason as in `init`.
    confidence, count = jnp.zeros_like(mean), jnp.zeros_like(state.count)
    next_state = ORCAState(
      uncertainty=uncertainty, confidence=confidence, count=count
    )
    return next_state, head
