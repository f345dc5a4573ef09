"""What a classifier is asked for, and what it returns."""

import dataclasses
from typing import Any

import flax.struct
import jax


@dataclasses.dataclass(frozen=True, kw_only=True)
class Branches:
  """What a classifier computes besides logits and the global feature.

  Attributes:
    grids: sides of the local grids of `Outputs.parts`.
    wavelet: whether training returns `Outputs.bands`.
    frequency_attention: whether CAL's map, made from the image's spectrum,
      weighs the feature map; in evaluation too.
    cosine: whether logits are 10 times the cosine of feature and prototype.
    projection: width of `Outputs.projection`; 0 for none.
    counterfactual: whether training returns `Outputs.counterfactual`.
    prunable: whether outputs can be switched off for good (`Classifier.live`).
  """

  grids: tuple[int, ...] = ()
  wavelet: bool = False
  frequency_attention: bool = False
  cosine: bool = False
  projection: int = 0
  counterfactual: bool = False
  prunable: bool = False


@flax.struct.dataclass
class Outputs:
  """One forward pass over a batch of B images; all float32.

  Whatever has a default is empty in evaluation and where `Branches` does not
  ask for it.

  Attributes:
    logits: [B, K], one column per known and novel class.
    feature: [B, C], the global feature after the batch-norm neck.
    parts: one [B, P, C] per grid, P = cells of the grid, row by row; each cell
      is normalised over the batch. Carries no gradient.
    bands: the wavelet's detail bands LH, HL, HH, each [B, P, C]. Carries no
      gradient.
    projection: [B, D], of unit length, for contrastive losses.
    counterfactual: a `models.counterfactual.CounterfactualOutputs`.
  """

  logits: jax.Array
  feature: jax.Array
  parts: tuple[jax.Array, ...] = ()
  bands: tuple[jax.Array, ...] = ()
  projection: Any = None
  counterfactual: Any = None


@flax.struct.dataclass
class Head:
  """The network's last layer, as the end of an epoch may change it.

  Attributes:
    prototypes: float32 [K, C], a row for each output.
    live: bool [K], the outputs in use.
  """

  prototypes: jax.Array
  live: jax.Array
