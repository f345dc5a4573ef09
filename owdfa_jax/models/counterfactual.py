"""CDAL's branch, which compares attention maps with counterfactual ones.

The branch works on an early stage of the backbone, in training only; the logits
for inference remain the head's. Nothing in it is held constant: the gradient
reaches the stage through maps, pooled features and the degraded copy alike.

References:
  Zheng et al., Learning Counterfactually Decoupled Attention for Open-World
  Model Attribution, ICCV 2025.
"""

import flax.struct
import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax import vectors
from owdfa_jax.models.attention_maps import AttentionMaps, flatten_pixels
from owdfa_jax.models.degrading import degrade

# Pooled features have length 1 over thousands of entries; scaled, they give the
# linear layer inputs of a useful size.
FEATURE_SCALE = 100.0
# Keeps square roots and logarithms of 0 finite.
EPSILON = 1e-6
_EXACT = jax.lax.Precision.HIGHEST


@flax.struct.dataclass(kw_only=True)
class CounterfactualOutputs:
  """The branch's outputs for a batch; all arrays are float32.

  Attributes:
    factual: [B, K], logits by the maps A, which should find a forgery's traces.
    counterfactual: [B, K], logits by other maps A^ of the same features, which
      should not.
    augmented_factual: [B, K], logits by A of the degraded features.
    augmented_counterfactual: [B, K], logits by A^ of the degraded features.
    distance: [B], how far the degrading moved the pooled features, except
      those of the map that it preserved; the mean over all maps.
  """

  factual: jax.Array
  counterfactual: jax.Array
  augmented_factual: jax.Array
  augmented_counterfactual: jax.Array
  distance: jax.Array


class CounterfactualBranch(nnx.Module):
  """The counterfactual attention branch of CDAL.

  Follows the released code as far as it is defined. Its CPL and MPSL variants
  differ in the maps by which original and degraded features are compared; here
  both take the factual maps, as its MPSL variant does.
  """

  def __init__(
    self,
    num_features: int,
    num_classes: int,
    *,
    maps: int = 64,
    dropout: float = 0.3,
    rngs: nnx.Rngs,
  ) -> None:
    """Builds the branch.

    Args:
      num_features: C, channels of the stage.
      num_classes: K, width of the logits.
      maps: M, number of maps of each kind; even. CDAL has 64 for 256 channels.
        The branch's cost is proportional to it.
      dropout: share of the pooled features dropped before the linear layer.
      rngs: source of the initial parameters.
    """
    self.factual = AttentionMaps(num_features, maps, rngs=rngs)
    self.counterfactual = AttentionMaps(num_features, maps, rngs=rngs)
    self.dropout = nnx.Dropout(dropout)
    self.fc = nnx.Linear(
      maps * num_features,
      num_classes,
      use_bias=False,
      kernel_init=nnx.initializers.normal(0.001),
      precision=_EXACT,
      rngs=rngs,
    )

  def __call__(
    self, stage_map: jax.Array, *, key: jax.Array
  ) -> CounterfactualOutputs:
    """Maps a stage's features to logits and distances.

    Args:
      stage_map: float32 [B, h, w, C].
      key: draws the sampled maps, the noise and the dropout.
    """
    # For two sampled maps, the noise and four dropouts.
    keys = jax.random.split(key, 7)
    maps = self.factual(stage_map)
    other_maps = self.counterfactual(stage_map)
    # Keep what a factual map looks at; degrade what a counterfactual one does.
    sampled, kept = sample_map(maps, keys[0])
    _, blurred = sample_map(other_maps, keys[1])
    degraded = degrade(stage_map, kept, blurred, keys[2])
    # Degraded features have maps of their own, which should find the same.
    feature = attention_pool(maps, stage_map)
    degraded_feature = attention_pool(self.factual(degraded), degraded)
    other_feature = attention_pool(other_maps, stage_map)
    other_degraded = attention_pool(self.counterfactual(degraded), degraded)
    return CounterfactualOutputs(
      factual=self.classify(feature, keys[3]),
      counterfactual=self.classify(other_feature, keys[4]),
      augmented_factual=self.classify(degraded_feature, keys[5]),
      augmented_counterfactual=self.classify(other_degraded, keys[6]),
      distance=distance_of_other_maps(feature, degraded_feature, sampled),
    )

  def classify(self, feature: jax.Array, key: jax.Array) -> jax.Array:
    """Maps pooled features [B, M, C] to logits [B, K]; one layer for all."""
    flat = feature.reshape(len(feature), -1)
    dropped = self.dropout(flat, deterministic=False, rngs=key)
    return self.fc(FEATURE_SCALE * dropped)


def attention_pool(maps: jax.Array, x: jax.Array) -> jax.Array:
  """Pools features by each map, bilinearly; the result has length 1.

  F_mc is the mean over pixels of A_m x_c, then sign(F) sqrt(|F| + 1e-6), then
  the whole matrix is divided by its norm. The square root keeps a few strong
  channels from dominating.

  Args:
    maps: A, [B, h, w, M].
    x: [B, h, w, C].

  Returns:
    [B, M, C].
  """
  feature = jnp.matmul(
    flatten_pixels(maps).swapaxes(1, 2), flatten_pixels(x), precision=_EXACT
  )
  feature /= x.shape[1] * x.shape[2]
  feature = jnp.sign(feature) * jnp.sqrt(jnp.abs(feature) + EPSILON)
  return vectors.unit(feature, axis=(1, 2))


def sample_map(maps: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Draws a map of each image with probability proportional to sqrt(its sum).

  Args:
    maps: [B, h, w, M], all values at least 0.
    key: random key.

  Returns:
    The index of each image's map, int32 [B], and the maps, [B, h, w, 1].
  """
  # log sqrt(s). With the epsilon, maps that are all 0 are drawn evenly.
  logits = 0.5 * jnp.log(maps.sum((1, 2)) + EPSILON)
  index = jax.random.categorical(key, logits)
  return index, jnp.take_along_axis(maps, index[:, None, None, None], -1)


def distance_of_other_maps(
  feature: jax.Array, other: jax.Array, sampled: jax.Array
) -> jax.Array:
  """Computes the distance of pooled features without the sampled map's.

  Args:
    feature: [B, M, C].
    other: [B, M, C].
    sampled: int32 [B], the map to leave out.

  Returns:
    [B], the sum of the other maps' distances divided by M.
  """
  num_maps = feature.shape[1]
  lengths = vectors.length(feature - other)[..., 0]
  return jnp.mean(lengths * (1 - jax.nn.one_hot(sampled, num_maps)), -1)
