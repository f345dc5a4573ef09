"""CAL: confidence-aware asymmetric learning (Zheng et al., AAAI 2026)."""

import dataclasses

import flax
import jax
import jax.numpy as jnp

from owdfa_jax.losses import cal, common, prototypes
from owdfa_jax.methods.base import (
  Clock,
  Method,
  Result,
  Rows,
  check_at_least,
)
from owdfa_jax.models.outputs import Branches, Head, Outputs


@flax.struct.dataclass
class CALState:
  """What an epoch of CAL gathers, and what the one before it decided.

  Attributes:
    novel_threshold: float32 [], confidence that a novel pseudo-label needs.
    sums: of the confidences of this epoch so far.
    usage: int32 [K], rows on top of which each output was in this epoch.
  """

  novel_threshold: jax.Array
  sums: cal.ConfidenceSums
  usage: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class CAL(Method):
  """Consistency of two views (CCR), pseudo-labels by an adaptive threshold
  (ACR) and, for an unknown number of classes, pruned prototypes (DPP).

  Total = CE + uniformity_weight R + ACR + consistency_weight CCR, with CE of
  both views and R the non-uniformity of their mean prediction.

  Attributes:
    consistency_weight: of CCR.
    uniformity_weight: of R; 1 in the paper.
    known_threshold: confidence that a pseudo-label of a known class needs.
    pseudo_from_epoch: the first epoch with pseudo-labels, from 0.
    estimate_classes: start with `prototypes_per_known` outputs for each known
      class and prune them, instead of being told the number of classes.
    prototypes_per_known: see there.
    prune_from_epoch: the first epoch at whose end outputs are pruned.
    parity_merge: give merged prototypes length 1, as the released code does.
  """

  consistency_weight: float = 0.2
  uniformity_weight: float = 1.0
  known_threshold: float = 0.9
  pseudo_from_epoch: int = 5
  estimate_classes: bool = False
  prototypes_per_known: int = 10
  prune_from_epoch: int = 0
  parity_merge: bool = False

  def __post_init__(self) -> None:
    # With one each there would be no output for a novel class.
    check_at_least(2, prototypes_per_known=self.prototypes_per_known)

  @property
  def views(self) -> tuple[str, ...]:
    """A flip, and a stronger change."""
    return ('weak', 'strong')

  @property
  def branches(self) -> Branches:
    """The attention by frequency, and outputs that can die."""
    return Branches(frequency_attention=True, prunable=self.estimate_classes)

  def num_outputs(self, num_known: int) -> int | None:
    """`prototypes_per_known` each, unless the number of classes is given."""
    return (
      self.prototypes_per_known * num_known if self.estimate_classes else None
    )

  def init(self, num_outputs: int, num_examples: int) -> CALState:
    """Nothing gathered; a threshold that every row passes, until an epoch has
    seen both known and novel confidences (`cal.novel_threshold`).
    """
    del num_examples
    return CALState(
      novel_threshold=jnp.zeros((), jnp.float32),
      sums=cal.no_confidence(),
      usage=jnp.zeros(num_outputs, jnp.int32),
    )

  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    clock: Clock,
    state: CALState,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the weighted sum of the four terms."""
    del key
    weak, strong = (seen.logits for seen in outputs)
    # Whoever masked the dead outputs knows them; here their logit tells.
    live = weak[0] > prototypes.DEAD_LOGIT
    accepted, target = cal.accept_pseudo_labels(
      weak,
      ~rows.labelled & (clock.epoch >= self.pseudo_from_epoch),
      clock.num_known,
      known_threshold=self.known_threshold,
      novel_threshold=state.novel_threshold,
    )
    # A stage before may have given a row an output that is dead by now.
    labelled = rows.labelled & live[rows.label]
    both = jnp.stack(
      [
        common.margin_cross_entropy(logits, rows.label, margin=0.0)
        for logits in (weak, strong)
      ]
    )
    consistency = cal.confidence_consistency(weak, strong, clock.progress)
    terms = {
      'cross_entropy': common.masked_mean(both.mean(0), labelled),
      'non_uniformity': cal.non_uniformity(weak, strong, live),
      'pseudo': cal.accepted_cross_entropy(weak, accepted, target),
      'consistency': consistency.mean(),
    }
    total = (
      terms['cross_entropy']
      + self.uniformity_weight * terms['non_uniformity']
      + terms['pseudo']
      + self.consistency_weight * terms['consistency']
    )
    told = {
      'pseudo_accepted': common.masked_mean(accepted, ~rows.labelled),
      'novel_threshold': state.novel_threshold,
      'live_outputs': live.sum(),
    }
    state = CALState(
      novel_threshold=state.novel_threshold,
      sums=cal.add_confidence(state.sums, weak, strong, clock.num_known),
      usage=state.usage + prototypes.count_usage(weak),
    )
    return total, Result(terms=terms | told, state=state)

  def end_epoch(
    self, state: CALState, head: Head, clock: Clock
  ) -> tuple[CALState, Head]:
    """Sets the next epoch's threshold and, if asked to, prunes the head."""
    threshold = cal.novel_threshold(
      state.sums, state.novel_threshold, self.known_threshold
    )
    if self.estimate_classes:
      pruned = prototypes.prune(
        head.prototypes,
        state.usage,
        head.live,
        clock.num_known,
        parity_merge=self.parity_merge,
      )
      due = clock.epoch >= self.prune_from_epoch
      head = jax.tree.map(
        lambda new, old: jnp.where(due, new, old), Head(*pruned), head
      )
    return (
      CALState(
        novel_threshold=threshold,
        sums=cal.no_confidence(),
        usage=jnp.zeros_like(state.usage),
      ),
      head,
    )
