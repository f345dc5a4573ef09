"""ORCA: open-world semi-supervised learning (Cao et al., ICLR 2022)."""

import dataclasses

import flax
import jax
import jax.numpy as jnp

from owdfa_jax.losses import common, pairing
from owdfa_jax.methods.base import Clock, Method, Result, Rows
from owdfa_jax.models.outputs import Branches, Head, Outputs


@flax.struct.dataclass
class ORCAState:
  """The uncertainty of the last epoch, and what this one gathers for it.

  Attributes:
    uncertainty: float32 [], 1 less the mean confidence on unlabelled rows, as
      the epoch's steps saw them; the authors' code passes over them again.
    confidence: float32 [], summed over this epoch's unlabelled rows.
    count: float32 [], of those rows.
  """

  uncertainty: jax.Array
  confidence: jax.Array
  count: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class ORCA(Method):
  """Cross entropy with an uncertainty-adaptive margin, pairs across views.

  Total = CE + pair_weight BCE - entropy_weight H. The margin of CE is
  `margin_scale` times the uncertainty of the last epoch: known classes, learnt
  fast, are held back until the novel ones follow. An unlabelled row is paired
  with its nearest neighbour, a labelled one with a row of its class.

  Attributes:
    margin_scale: the s of the paper's margin, as its cosines are scaled.
    pair_weight: eta 1 of the paper.
    entropy_weight: eta 2.
  """

  margin_scale: float = 10.0
  pair_weight: float = 1.0
  entropy_weight: float = 1.0

  @property
  def views(self) -> tuple[str, ...]:
    """Two alike."""
    return ('standard', 'standard')

  @property
  def branches(self) -> Branches:
    """A head of cosines."""
    return Branches(cosine=True)

  def init(self, num_outputs: int, num_examples: int) -> ORCAState:
    """As uncertain as can be."""
    del num_outputs, num_examples
    zero = lambda: jnp.zeros((), jnp.float32)
    return ORCAState(jnp.ones((), jnp.float32), zero(), zero())

  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    clock: Clock,
    state: ORCAState,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the weighted sum of the three terms."""
    del clock
    first, second = outputs
    nearest = pairing.nearest_neighbour(
      pairing.cosine_similarity(first.feature)
    )
    drawn = pairing.same_class_partner(
      jax.random.uniform(key, rows.label.shape), rows.label, rows.labelled
    )
    partner = jnp.where(rows.labelled, drawn, nearest)
    margin = self.margin_scale * state.uncertainty
    terms = {
      'cross_entropy': common.masked_mean(
        common.margin_cross_entropy(first.logits, rows.label, margin),
        rows.labelled,
      ),
      'pairs': common.agreement(first.logits, second.logits[partner]).mean(),
      'entropy': common.mean_prediction_entropy(first.logits),
    }
    total = (
      terms['cross_entropy']
      + self.pair_weight * terms['pairs']
      - self.entropy_weight * terms['entropy']
    )
    logits = jax.lax.stop_gradient(first.logits)
    confidence = jax.nn.softmax(logits).max(axis=-1)
    state = dataclasses.replace(
      state,
      confidence=state.confidence + jnp.sum(confidence * ~rows.labelled),
      count=state.count + jnp.sum(~rows.labelled),
    )
    return total, Result(
      terms=terms | {'uncertainty': state.uncertainty},
      state=state,
      partners={'partner': partner},
    )

  def end_epoch(
    self, state: ORCAState, head: Head, clock: Clock
  ) -> tuple[ORCAState, Head]:
    """Sets the uncertainty of the next epoch's margin."""
    del clock
    mean = state.confidence / jnp.maximum(state.count, 1)
    uncertainty = jnp.where(state.count > 0, 1 - mean, state.uncertainty)
    zero = jnp.zeros_like(state.count)
    return ORCAState(uncertainty, zero, jnp.zeros_like(zero)), head
