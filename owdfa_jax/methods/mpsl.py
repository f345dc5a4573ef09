"""MPSL: multi-perspective sensory learning."""

import dataclasses

import jax
from typing_extensions import override

from owdfa_jax.losses import pairing
from owdfa_jax.methods.base import Context, LossExtras, Method
from owdfa_jax.methods.neighbour_voting import voting_loss
from owdfa_jax.methods.parameters import MPSLParameters
from owdfa_jax.models.outputs import Branches


@dataclasses.dataclass(frozen=True, kw_only=True)
class MPSL(MPSLParameters, Method):
  """Multi-perspective sensory learning: CPL's loss with more local views.

  L = L_CE + eta_1 L_MPV + eta_2 L_FCP - eta_3 H, see
  `neighbour_voting.weighted_terms`. The global nearest neighbour of an
  unlabelled row becomes its partner if any of three grids of parts *and* any
  of three wavelet bands accept it. `counterfactual` adds CDAL's two terms.

  References:
    Sun et al., Rethinking Open-World DeepFake Attribution with
    Multi-perspective Sensory Learning, IJCV 133(2), 2025.
    Zheng et al., Learning Counterfactually Decoupled Attention for Open-World
    Model Attribution, ICCV 2025 (CDAL).
  """

  @property
  @override
  def branches(self) -> Branches:
    return Branches(grids=(3, 5, 7), counterfactual=self.counterfactual)

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    (outputs,) = context.outputs
    labels, views = context.labels, outputs.local_views
    partner_key, gumbel_key = jax.random.split(context.key)
    pairs, band, grid = pairing.mpsl_partners(
      # Only labelled rows draw their partner; the others are voted on.
      draw=jax.random.uniform(partner_key, labels.label.shape),
      label=labels.label,
      labelled=labels.labelled,
      feature=outputs.feature,
      parts=views.parts(),
      bands=views.bands(),
      local_views=views,
      vote_rule=self.vote_rule,
      mesh=context.mesh,
      within=self.pair_within,
    )
    total, terms = voting_loss(self, outputs, labels, pairs, gumbel_key)
    return total, LossExtras(
      terms=terms,
      state=context.state,
      partners=pairing.perspective_partners(pairs, band, grid)
      | {'partner': pairs.index},
    )
