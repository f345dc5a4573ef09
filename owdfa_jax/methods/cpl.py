"""CPL: contrastive pseudo learning (Sun et al., ICCV 2023)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from input_pipeline.errors import UserError
from owdfa_jax.losses import common, counterfactual, pairing
from owdfa_jax.methods.base import Clock, Method, Result, Rows
from owdfa_jax.models.outputs import Branches, Outputs

# Which rows take part in the pseudo-label term: all, those with a partner, or
# those that any local view would have given one.
PSEUDO_FILTERS = {
  'none': lambda pairs: jnp.ones_like(pairs.vote),
  'vote': lambda pairs: pairs.vote,
  'union': lambda pairs: pairs.either,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CPL(Method):
  """Global-local voting (GLV) and confidence-based soft pseudo-labels (CSP).

  Total = CE + voting_weight GLV + pseudo_weight CSP - entropy_weight H, with
  H the entropy of the batch's mean prediction. With `counterfactual`, CDAL
  (Zheng et al., ICCV 2025), + effect_weight AUX + match_weight MATCH.

  Attributes:
    margin: added to a labelled row's true logit, so that known classes, which
      have labels, are pressed less than novel ones are pulled.
    voting_weight: eta 1 of the paper.
    pseudo_weight: eta 2.
    entropy_weight: eta 3.
    vote_rule: how the local view accepts a global neighbour, a key of
      `pairing.VOTES`: 'value' as released, 'agreement' as the figure has it.
    pseudo_filter: which unlabelled rows take part in CSP, a key of
      `PSEUDO_FILTERS`.
    detach_confidence: hold CSP's confidence weight constant.
    counterfactual: add CDAL's branch, in training only.
    effect_weight: of the effect of its attention maps on labelled rows.
    match_weight: of the distance of original and degraded features.
  """

  margin: float = 0.2
  voting_weight: float = 0.5
  pseudo_weight: float = 0.5
  entropy_weight: float = 1.0
  vote_rule: str = 'value'
  pseudo_filter: str = 'vote'
  detach_confidence: bool = False
  counterfactual: bool = False
  effect_weight: float = 0.5
  match_weight: float = 0.2

  def __post_init__(self) -> None:
    for field, value, choices in (
      ('vote_rule', self.vote_rule, pairing.VOTES),
      ('pseudo_filter', self.pseudo_filter, PSEUDO_FILTERS),
    ):
      if value not in choices:
        raise UserError(
          f'unknown setting: --config.method.params.{field}={value}; '
          f'use one of {", ".join(choices)}'
        )

  @property
  def branches(self) -> Branches:
    """One grid of local views."""
    return Branches(grids=(3,), counterfactual=self.counterfactual)

  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    clock: Clock,
    state: Any,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the weighted sum of the four terms, and CDAL's two."""
    del clock
    (seen,) = outputs
    partner_key, gumbel_key = jax.random.split(key)
    draw = jax.random.uniform(partner_key, rows.label.shape)
    pairs, named = self.pair(draw, rows, seen)
    total, terms = self.total(
      seen.logits,
      rows,
      pairs.index,
      PSEUDO_FILTERS[self.pseudo_filter](pairs),
      jax.random.gumbel(gumbel_key, seen.logits.shape),
    )
    if self.counterfactual:
      terms['effect'] = counterfactual.auxiliary(
        seen.counterfactual, rows.label, self.margin
      )
      terms['match'] = counterfactual.match(seen.counterfactual)
      total += self.effect_weight * terms['effect']
      total += self.match_weight * terms['match']
    return total, Result(terms=terms, state=state, partners=named)

  def pair(
    self, draw: jax.Array, rows: Rows, seen: Outputs
  ) -> tuple[pairing.Partners, dict[str, jax.Array]]:
    """Returns the pairs, and by name the partners to score for the log.

    Args:
      draw: float32 [B], uniform in [0, 1), for the labelled rows.
      rows: labels and which rows have one.
      seen: what the network made of the batch.
    """
    pairs = pairing.glv_partners(
      draw,
      rows.label,
      rows.labelled,
      seen.feature,
      seen.parts[0],
      vote_rule=self.vote_rule,
    )
    return pairs, {'global': pairs.nearest, 'partner': pairs.index}

  def total(
    self,
    logits: jax.Array,
    rows: Rows,
    partner: jax.Array,
    chosen: jax.Array,
    gumbel: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns the loss, float32 [], and its four terms, all draws given.

    Args:
      logits: float32 [B, K].
      rows: labels and which rows have one.
      partner: int32 [B], each row's partner.
      chosen: bool [B], the unlabelled rows that take part in CSP.
      gumbel: standard Gumbel noise [B, K].
    """
    pseudo = common.soft_pseudo_label(
      logits, gumbel, detach_confidence=self.detach_confidence
    )
    terms = {
      'cross_entropy': common.masked_mean(
        common.margin_cross_entropy(logits, rows.label, self.margin),
        rows.labelled,
      ),
      'voting': common.pair_agreement(logits, partner).mean(),
      # A row not chosen counts as 0, not as absent: the mean is over all.
      'pseudo': common.masked_mean(pseudo * chosen, ~rows.labelled),
      'entropy': common.mean_prediction_entropy(logits),
    }
    total = (
      terms['cross_entropy']
      + self.voting_weight * terms['voting']
      + self.pseudo_weight * terms['pseudo']
      - self.entropy_weight * terms['entropy']
    )
    return total, terms
