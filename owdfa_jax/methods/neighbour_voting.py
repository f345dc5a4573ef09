"""What CPL and MPSL have in common: their loss, once the rows are paired."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from owdfa_jax.losses import cdal, common
from owdfa_jax.losses.pairing import Partners
from owdfa_jax.methods.base import VisibleLabels
from owdfa_jax.methods.parameters import VotingParameters
from owdfa_jax.models.outputs import Outputs

# From the pairing to the rows that may get a pseudo-label, bool [B]. The loss
# drops the labelled rows among them.
PSEUDO_FILTERS: dict[str, Callable[[Partners], jax.Array]] = {
  'none': lambda pairs: jnp.ones_like(pairs.vote),
  'vote': lambda pairs: pairs.vote,
  'union': lambda pairs: pairs.either,
}


def voting_loss(
  parameters: VotingParameters,
  outputs: Outputs,
  labels: VisibleLabels,
  pairs: Partners,
  key: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Returns the loss of paired rows, float32 [], and its terms by name.

  The four terms of `weighted_terms`; with `parameters.counterfactual` also
  CDAL's two: + effect_weight * effect + match_weight * match.

  Args:
    parameters: the weights and filters of CPL or MPSL.
    outputs: the network's outputs.
    labels: the labels that the loss may know.
    pairs: each row's partner.
    key: draws the Gumbel noise.
  """
  total, terms = weighted_terms(
    parameters,
    outputs.logits,
    labels,
    partner=pairs.index,
    chosen=PSEUDO_FILTERS[parameters.pseudo_filter](pairs),
    gumbel=jax.random.gumbel(key, outputs.logits.shape),
  )
  if parameters.counterfactual:
    terms['effect'] = cdal.attention_effect_loss(
      outputs.counterfactual, labels.label, parameters.margin
    )
    terms['match'] = cdal.feature_distance(outputs.counterfactual)
    total += parameters.effect_weight * terms['effect']
    total += parameters.match_weight * terms['match']
  return total, terms


def weighted_terms(
  parameters: VotingParameters,
  logits: jax.Array,
  labels: VisibleLabels,
  *,
  partner: jax.Array,
  chosen: jax.Array,
  gumbel: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Returns the four terms' weighted sum, float32 [], and the terms by name.

  L = L_CE + eta_1 L_vote + eta_2 L_pseudo - eta_3 H, where H is the entropy of
  the batch's mean prediction. L_vote is GLV in CPL and MPV in MPSL, L_pseudo is
  CSP and FCP. Nothing random happens here: all draws are arguments.

  Args:
    parameters: the weights of CPL or MPSL.
    logits: float32 [B, K].
    labels: the labels that the loss may know.
    partner: int32 [B], each row's partner.
    chosen: bool [B], the unlabelled rows that get a pseudo-label.
    gumbel: float32 [B, K], standard Gumbel noise.
  """
  pseudo = common.soft_pseudo_label_loss(
    logits, gumbel, detach_confidence=parameters.detach_confidence
  )
  terms = {
    'cross_entropy': common.masked_mean(
      common.margin_cross_entropy(logits, labels.label, parameters.margin),
      labels.labelled,
    ),
    'voting': common.partner_agreement_loss(logits, partner).mean(),
    # The mean is over all unlabelled rows: one that was not chosen counts as 0,
    # so that a few chosen rows do not weigh as much as a full batch.
    'pseudo': common.masked_mean(pseudo * chosen, ~labels.labelled),
    'entropy': common.mean_prediction_entropy(logits),
  }
  total = (
    terms['cross_entropy']
    + parameters.voting_weight * terms['voting']
    + parameters.pseudo_weight * terms['pseudo']
    - parameters.entropy_weight * terms['entropy']
  )
  return total, terms
