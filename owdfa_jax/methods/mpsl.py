"""MPSL: multi-perspective sensory learning (Sun et al., IJCV 2025)."""

import dataclasses

import jax

from owdfa_jax.losses import pairing
from owdfa_jax.methods.base import Rows
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.models.outputs import Branches, Outputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class MPSL(CPL):
  """CPL with more voters: three grids and three wavelet bands.

  A global neighbour is accepted when any grid *and* any band accepts it
  (multi-perception voting). The pseudo-label term takes every unlabelled row,
  as released; the paper's figure has `pseudo_filter = 'union'`.
  """

  pseudo_filter: str = 'none'

  @property
  def branches(self) -> Branches:
    """Three grids of local views, and the wavelet."""
    return Branches(
      grids=(3, 5, 7), wavelet=True, counterfactual=self.counterfactual
    )

  def pair(
    self, draw: jax.Array, rows: Rows, seen: Outputs
  ) -> tuple[pairing.Partners, dict[str, jax.Array]]:
    """Returns the pairs, and the partners of each perspective."""
    pairs, band, grid = pairing.mpsl_partners(
      draw,
      rows.label,
      rows.labelled,
      seen.feature,
      seen.parts,
      seen.bands,
      vote_rule=self.vote_rule,
    )
    named = pairing.perspectives(pairs, band, grid)
    return pairs, named | {'partner': pairs.index}
