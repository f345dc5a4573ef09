"""The open-world classifier: backbone, BN neck, head, further branches."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax import vectors
from owdfa_jax.models import frequency_attention
from owdfa_jax.models.backbones import Backbone
from owdfa_jax.models.batch_norm import BatchNorm
from owdfa_jax.models.counterfactual import CounterfactualBranch
from owdfa_jax.models.front_end import network_input, num_channels
from owdfa_jax.models.local_spectrum import SpectrumBranch
from owdfa_jax.models.outputs import Branches, Head, Outputs, mask_pruned
from owdfa_jax.models.perspectives import LocalViews
from owdfa_jax.random_keys import further_key

# ORCA and SimGCD multiply cosines by this before the softmax.
COSINE_SCALE = 10.0
NO_BRANCHES = Branches()


class InUse(nnx.BatchStat):
  """Which outputs are in use, bool [K].

  It is kept with the batch statistics, so it is saved but not trained.
  """


# The attribute of `Classifier` that holds `InUse`, and so its name in
# checkpoints. Another name would make old checkpoints unreadable.
IN_USE_NAME = 'live'


class Classifier(nnx.Module):
  """A backbone with a BN neck (`bottleneck`) and a linear head (`fc2`).

  The attributes are named as in the released code. The head is float32, even if
  the backbone computes in bfloat16; so are all outputs but the feature map that
  local views are made of.
  """

  def __init__(
    self,
    backbone: Backbone,
    num_outputs: int,
    *,
    branches: Branches = NO_BRANCHES,
    front_end: str = 'rgb',
    spectrum: SpectrumBranch | None = None,
    dropout: float = 0.2,
    rngs: nnx.Rngs,
  ) -> None:
    """Puts a neck, a head and the branches on a backbone.

    Args:
      backbone: computes the feature map.
      num_outputs: K, width of the head.
      branches: what else to compute.
      front_end: what `classify_images` makes of images, a key of
        `front_end.FRONT_ENDS`; the backbone has its number of channels.
      spectrum: computes further features from images, if given.
      dropout: share of the features dropped before the head.
      rngs: source of the initial parameters.
    """
    width = backbone.num_features
    if spectrum is not None:
      width += spectrum.num_features
    self.branches = branches
    self.front_end = front_end
    self.spectrum = spectrum
    self.backbone = backbone
    # The neck has no bias, so features have mean 0 and the head needs no bias.
    self.bottleneck = BatchNorm(width, use_bias=False)
    self.dropout = nnx.Dropout(dropout)
    # A column's length does not change its cosine. Start with length 1: longer
    # columns change direction more slowly.
    scale = width**-0.5 if branches.cosine else 0.001
    # The head is small, so its products can have full precision everywhere.
    self.fc2 = nnx.Linear(
      width,
      num_outputs,
      use_bias=False,
      kernel_init=nnx.initializers.normal(scale),
      precision=jax.lax.Precision.HIGHEST,
      rngs=rngs,
    )
    if branches.prunable:
      self.live = InUse(jnp.ones(num_outputs, bool))
    if branches.frequency_attention:
      self.frequency_attention = frequency_attention.FrequencyAttention(
        num_channels(front_end), rngs=rngs
      )
    if branches.projection:
      self.projector = Projector(width, branches.projection, rngs=rngs)
    if branches.counterfactual:
      first = backbone.first_features
      # 64 maps for a ResNet-50's 256 channels and in proportion for others; the
      # number must be even.
      self.counterfactual = CounterfactualBranch(
        first, num_outputs, maps=2 * max(4, first // 8), rngs=rngs
      )

  def classify_images(
    self, images: jax.Array, *, train: bool, key: jax.Array | None = None
  ) -> Outputs:
    """Classifies images as they are, uint8 or float32 [B, H, W, 3], 0..255.

    The other arguments are those of `__call__`. In evaluation the feature ends
    with the projections of the spectrum; the head does not see them.
    """
    spectrum = projections = None
    if self.spectrum is not None:
      spectrum, projections = self.spectrum(images, train=train)
    scale = self.backbone.pixel_mean, self.backbone.pixel_std
    x = network_input(images, self.front_end, *scale)
    outputs = self(x, train=train, key=key, spectrum=spectrum)
    if projections is None:
      return outputs
    feature = jnp.concatenate([outputs.feature, projections], -1)
    return dataclasses.replace(outputs, feature=feature)

  def __call__(
    self,
    images: jax.Array,
    *,
    train: bool,
    key: jax.Array | None = None,
    spectrum: jax.Array | None = None,
  ) -> Outputs:
    """Classifies what the front end made of images.

    Args:
      images: the network's input, float32 [B, H, W, channels].
      train: use and update the batch statistics, and return what the branches
        compute; else use the running statistics.
      key: draws the dropout and the counterfactual branch's maps. Training
        needs it, unless the dropout is 0 and there is no such branch.
      spectrum: [B, D], the trained features of the spectrum branch, if any.
    """
    first, feature_map = self.backbone.first_and_last(images, train=train)
    if self.branches.frequency_attention:
      feature_map = frequency_attention.weigh_feature_map(
        self.frequency_attention(images), feature_map.astype(jnp.float32)
      )
    outputs = self.outputs_from(
      feature_map, train=train, key=key, spectrum=spectrum
    )
    if not (train and self.branches.counterfactual):
      return outputs
    if key is None:
      raise ValueError(
        'Pass `key`: the counterfactual branch needs random numbers in '
        'training.'
      )
    return dataclasses.replace(
      outputs,
      # The dropout uses the key itself.
      counterfactual=self.counterfactual(
        first.astype(jnp.float32), key=further_key(key)
      ),
    )

  def outputs_from(
    self,
    feature_map: jax.Array,
    *,
    train: bool,
    key: jax.Array | None = None,
    spectrum: jax.Array | None = None,
  ) -> Outputs:
    """Computes everything after the backbone's feature map [B, h, w, C].

    All is computed in float32. The other arguments are those of `__call__`.
    """
    precise = feature_map.astype(jnp.float32)
    pooled = precise.mean((1, 2))
    if spectrum is not None:
      pooled = jnp.concatenate([pooled, spectrum], -1)
    feature = self.bottleneck(pooled, train=train)
    logits = self.classify(
      self.dropout(feature, deterministic=not train, rngs=key)
    )
    # Evaluation needs only the classes; what follows serves the losses.
    if not train:
      return Outputs(logits=logits, feature=feature)
    local_views = None
    if self.branches.grids:
      # They only decide which rows are paired.
      local_views = LocalViews.of(
        jax.lax.stop_gradient(feature_map), self.branches.grids
      )
    return Outputs(
      logits=logits,
      feature=feature,
      local_views=local_views,
      projection=(
        self.projector(feature) if self.branches.projection else None
      ),
    )

  def classify(self, feature: jax.Array) -> jax.Array:
    """Maps features [B, C] to logits [B, K]."""
    if self.branches.cosine:
      logits = COSINE_SCALE * jnp.matmul(
        vectors.unit(feature),
        vectors.unit(self.fc2.kernel[...], axis=0),
        precision=jax.lax.Precision.HIGHEST,
      )
    else:
      logits = self.fc2(feature)
    if self.branches.prunable:
      logits = mask_pruned(logits, self.live[...])
    return logits

  def get_head(self) -> Head:
    """Returns the last layer; without pruning all its outputs are in use."""
    kernel = self.fc2.kernel[...]
    if self.branches.prunable:
      in_use = self.live[...]
    else:
      in_use = jnp.ones(kernel.shape[1], bool)
    return Head(prototypes=kernel.T, in_use=in_use)

  def set_head(self, head: Head) -> None:
    """Replaces the last layer; does nothing if outputs cannot be pruned."""
    if self.branches.prunable:
      self.fc2.kernel[...] = head.prototypes.T
      self.live[...] = head.in_use


class Projector(nnx.Module):
  """Maps features to the unit sphere, where contrastive losses compare them."""

  def __init__(self, width: int, size: int, *, rngs: nnx.Rngs) -> None:
    linear = functools.partial(
      nnx.Linear, precision=jax.lax.Precision.HIGHEST, rngs=rngs
    )
    self.layer1 = linear(width, width)
    self.layer2 = linear(width, width)
    self.layer3 = linear(width, size)

  def __call__(self, feature: jax.Array) -> jax.Array:
    """Maps [B, width] to vectors of length 1, [B, size]."""
    hidden = nnx.gelu(self.layer1(feature))
    return vectors.unit(self.layer3(nnx.gelu(self.layer2(hidden))))


def in_use_from_statistics(batch_stats: Any) -> jax.Array | None:
  """Returns the outputs in use, bool [K]; None if none can be pruned.

  Args:
    batch_stats: the classifier's statistics, as training keeps them.
  """
  if IN_USE_NAME not in batch_stats:
    return None
  return batch_stats[IN_USE_NAME][...]
