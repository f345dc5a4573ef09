"""Whitened centres: an image is of the source whose centre is nearest.

`discovery.find_centres` finds the centres of a checkpoint; here they classify.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax import vectors
from owdfa_jax.evaluation.whitening_map import Whitening, whiten

# The logits are cosines divided by this. A temperature that fits the labelled
# images best would be far too low: the network has seen them.
TEMPERATURE = 0.1
_EXACT = jax.lax.Precision.HIGHEST
# The logit of an output without a centre. It is finite, so that sums of
# log-probabilities are.
_NEVER = -1e9


class Centres(NamedTuple):
  """The centres of sources among whitened features.

  Attributes:
    whitening: the map of features.
    direction: float32 [K, D], the centre of each of a network's K outputs.
    in_use: bool [K]: outputs that pruning took out of use have no centre.
  """

  whitening: Whitening
  direction: jax.Array
  in_use: jax.Array


@jax.jit
def centre_logits(centres: Centres, feature: jax.Array) -> jax.Array:
  """Returns the logits [N, K] of images: cosines to centres / `TEMPERATURE`.

  Args:
    centres: the centres of the K outputs.
    feature: float32 [N, C], features of the network that they belong to.
  """
  rows = vectors.unit(whiten(centres.whitening, feature))
  cosine = jnp.matmul(rows, vectors.unit(centres.direction).T, precision=_EXACT)
  return jnp.where(centres.in_use, cosine / TEMPERATURE, _NEVER)
