"""CPL: contrastive pseudo learning."""

import dataclasses

import jax
from typing_extensions import override

from owdfa_jax.losses import pairing
from owdfa_jax.methods.base import Context, LossExtras, Method
from owdfa_jax.methods.neighbour_voting import voting_loss
from owdfa_jax.methods.parameters import CPLParameters
from owdfa_jax.models.outputs import Branches


@dataclasses.dataclass(frozen=True, kw_only=True)
class CPL(CPLParameters, Method):
  """Contrastive pseudo learning: global-local voting and soft pseudo-labels.

  L = L_CE + eta_1 L_GLV + eta_2 L_CSP - eta_3 H, see
  `neighbour_voting.weighted_terms`. The global nearest neighbour of an
  unlabelled row becomes its partner if the local view, a 3 x 3 grid of parts,
  accepts it. `counterfactual` adds CDAL's two terms.

  References:
    Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution,
    ICCV 2023.
    Zheng et al., Learning Counterfactually Decoupled Attention for Open-World
    Model Attribution, ICCV 2025 (CDAL).
  """

  @property
  @override
  def branches(self) -> Branches:
    return Branches(grids=(3,), counterfactual=self.counterfactual)

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    (outputs,) = context.outputs
    labels = context.labels
    partner_key, gumbel_key = jax.random.split(context.key)
    pairs = pairing.glv_partners(
      # Only labelled rows draw their partner; the others are voted on.
      draw=jax.random.uniform(partner_key, labels.label.shape),
      label=labels.label,
      labelled=labels.labelled,
      feature=outputs.feature,
      # Devices send these nine cells; the map that they are made of is larger.
      parts=outputs.local_views.parts()[0],
      vote_rule=self.vote_rule,
      mesh=context.mesh,
      within=self.pair_within,
    )
    total, terms = voting_loss(self, outputs, labels, pairs, gumbel_key)
    return total, LossExtras(
      terms=terms,
      state=context.state,
      partners={'global': pairs.nearest, 'partner': pairs.index},
    )
