"""CAL: confidence-aware asymmetric learning."""

import dataclasses

import flax
import jax
import jax.numpy as jnp
from typing_extensions import override

from owdfa_jax.losses import cal as cal_losses
from owdfa_jax.losses import common
from owdfa_jax.methods import prototype_pruning
from owdfa_jax.methods.base import Context, EpochInfo, LossExtras, Method
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
  sums: cal_losses.ConfidenceSums
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
      sums=cal_losses.no_confidence(),
      usage=jnp.zeros(num_outputs, jnp.int32),
    )

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    labels, state = context.labels, context.state
    num_known = context.epoch_info.num_known
    weak, strong = (view.logits for view in context.outputs)
    # Without pruning these are all outputs.
    in_use = in_use_from_logits(weak)
    accepted, target = cal_losses.accept_pseudo_labels(
      weak,
      ~labels.labelled & (context.epoch_info.epoch >= self.pseudo_from_epoch),
      num_known,
      known_threshold=self.known_threshold,
      novel_threshold=state.novel_threshold,
    )
    # A label from an earlier stage may name an output that is pruned by now.
    labelled = labels.labelled & in_use[labels.label]
    cross_entropy = jnp.stack(
      [
        common.margin_cross_entropy(logits, labels.label, margin=0.0)
        for logits in (weak, strong)
      ]
    ).mean(axis=0)
    consistency = cal_losses.confidence_consistency(
      weak=weak, strong=strong, progress=context.epoch_info.progress
    )
    terms = {
      'cross_entropy': common.masked_mean(cross_entropy, labelled),
      'non_uniformity': cal_losses.non_uniformity(weak, strong, in_use),
      'pseudo': cal_losses.accepted_cross_entropy(weak, accepted, target),
      'consistency': consistency.mean(),
    }
    total = (
      terms['cross_entropy']
      + self.uniformity_weight * terms['non_uniformity']
      + terms['pseudo']
      + self.consistency_weight * terms['consistency']
    )
    for_the_log = {
      'pseudo_accepted': common.masked_mean(accepted, ~labels.labelled),
      'novel_threshold': state.novel_threshold,
      'num_outputs_in_use': in_use.sum(),
    }
    # The threshold stays during an epoch; `end_epoch` sets the next one.
    next_state = CALState(
      novel_threshold=state.novel_threshold,
      sums=cal_losses.add_confidence(
        state.sums, weak=weak, strong=strong, num_known=num_known
      ),
      usage=state.usage + prototype_pruning.count_usage(weak),
    )
    return total, LossExtras(terms=terms | for_the_log, state=next_state)

  @override
  def end_epoch(
    self, state: CALState, head: Head, epoch_info: EpochInfo
  ) -> tuple[CALState, Head]:
    threshold = cal_losses.novel_threshold(
      state.sums,
      previous=state.novel_threshold,
      known_threshold=self.known_threshold,
    )
    if self.estimate_classes:
      pruned = prototype_pruning.prune(
        head,
        state.usage,
        epoch_info.num_known,
        parity_merge=self.parity_merge,
      )
      # The epoch is a traced value, so the choice cannot be an `if`.
      due = epoch_info.epoch >= self.prune_from_epoch
      head = jax.tree.map(
        lambda new, old: jnp.where(due, new, old), pruned, head
      )
    next_state = CALState(
      novel_threshold=threshold,
      sums=cal_losses.no_confidence(),
      usage=jnp.zeros_like(state.usage),
    )
    return next_state, head
