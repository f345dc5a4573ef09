"""CAL: confidence-aware asymmetric learning."""

import dataclasses

import flax
import jax
import jax.numpy as jnp
from typing_extensions import override

from owdfa_jax.losses import common, confidence, prototypes
from owdfa_jax.methods.base import Clock, Context, LossResult, Method
from owdfa_jax.methods.parameters import CALParameters
from owdfa_jax.models.outputs import Branches, Head, in_use_from_logits


@flax.struct.dataclass
class CALState:
  """What CAL gathers during an epoch, and the threshold of the last one.

  Attributes:
    novel_threshold: float32 [], the least confidence of a pseudo-label of a
      novel class.
    sums: this epoch's confidences so far.
    usage: int32 [K], how many rows of this epoch had each output on top.
  """

  novel_threshold: jax.Array
  sums: confidence.ConfidenceSums
  usage: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class CAL(CALParameters, Method):
  """Confidence-aware consistency, adaptive pseudo-labels, pruned prototypes.

  L = L_CE + uniformity_weight R + L_ACR + consistency_weight L_CCR, where L_CE
  covers both views, R is the non-uniformity of their mean prediction, ACR
  (asymmetric confidence reinforcement) learns pseudo-labels above an adaptive
  threshold, and CCR (confidence-aware consistency regularization) makes the
  strong view agree with the weak one. With `estimate_classes`, DPP (dynamic
  prototype pruning) finds the number of classes.

  References:
    Zheng et al., Open-World Deepfake Attribution via Confidence-Aware
    Asymmetric Learning, AAAI 2026.
  """

  @property
  @override
  def views(self) -> tuple[str, ...]:
    return ('weak', 'strong')

  @property
  @override
  def branches(self) -> Branches:
    return Branches(frequency_attention=True, prunable=self.estimate_classes)

  @override
  def num_outputs(self, num_known: int) -> int | None:
    if not self.estimate_classes:
      return None
    return self.prototypes_per_known * num_known

  @override
  def init(self, num_outputs: int, num_examples: int) -> CALState:
    del num_examples
    return CALState(
      # Every row passes until an epoch has predicted both known and novel
      # classes; only then is there a ratio to adapt the threshold by.
      novel_threshold=jnp.zeros((), jnp.float32),
      sums=confidence.no_confidence(),
      usage=jnp.zeros(num_outputs, jnp.int32),
    )

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossResult]:
    rows, state = context.rows, context.state
    num_known = context.clock.num_known
    weak, strong = (view.logits for view in context.outputs)
    # Without pruning these are all outputs.
    in_use = in_use_from_logits(weak)
    accepted, target = confidence.accept_pseudo_labels(
      weak,
      ~rows.labelled & (context.clock.epoch >= self.pseudo_from_epoch),
      num_known,
      known_threshold=self.known_threshold,
      novel_threshold=state.novel_threshold,
    )
    # A label from an earlier stage may name an output that is pruned by now.
    labelled = rows.labelled & in_use[rows.label]
    cross_entropy = jnp.stack(
      [
        common.margin_cross_entropy(logits, rows.label, margin=0.0)
        for logits in (weak, strong)
      ]
    ).mean(axis=0)
    consistency = confidence.confidence_consistency(
      weak, strong, context.clock.progress
    )
    terms = {
      'cross_entropy': common.masked_mean(cross_entropy, labelled),
      'non_uniformity': common.non_uniformity(weak, strong, in_use),
      'pseudo': confidence.accepted_cross_entropy(weak, accepted, target),
      'consistency': consistency.mean(),
    }
    total = (
      terms['cross_entropy']
      + self.uniformity_weight * terms['non_uniformity']
      + terms['pseudo']
      + self.consistency_weight * terms['consistency']
    )
    for_the_log = {
      'pseudo_accepted': common.masked_mean(accepted, ~rows.labelled),
      'novel_threshold': state.novel_threshold,
      'num_outputs_in_use': in_use.sum(),
    }
    # The threshold stays during an epoch; `end_epoch` sets the next one.
    next_state = CALState(
      novel_threshold=state.novel_threshold,
      sums=confidence.add_confidence(state.sums, weak, strong, num_known),
      usage=state.usage + prototypes.count_usage(weak),
    )
    return total, LossResult(terms=terms | for_the_log, state=next_state)

  @override
  def end_epoch(
    self, state: CALState, head: Head, clock: Clock
  ) -> tuple[CALState, Head]:
    threshold = confidence.novel_threshold(
      state.sums, state.novel_threshold, self.known_threshold
    )
    if self.estimate_classes:
      pruned = prototypes.prune(
        head.prototypes,
        state.usage,
        head.in_use,
        clock.num_known,
        parity_merge=self.parity_merge,
      )
      # The epoch is a traced value, so the choice cannot be an `if`.
      due = clock.epoch >= self.prune_from_epoch
      head = jax.tree.map(
        lambda new, old: jnp.where(due, new, old), Head(*pruned), head
      )
    next_state = CALState(
      novel_threshold=threshold,
      sums=confidence.no_confidence(),
      usage=jnp.zeros_like(state.usage),
    )
    return next_state, head
