"""The open-world classifier: backbone, BN neck, head, perspectives."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from input_pipeline.errors import UserError
from owdfa_jax import vectors
from owdfa_jax.models import frequency_attention, perspectives, resnet
from owdfa_jax.models.batch_norm import BatchNorm
from owdfa_jax.models.counterfactual import Counterfactual
from owdfa_jax.models.outputs import Branches, Head, Outputs, mask_pruned

DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}
# What ORCA and SimGCD multiply a cosine with.
COSINE_SCALE = 10.0
_PLAIN = Branches()


class Backbone(Protocol):
  """Maps normalised images [B, H, W, 3] to a feature map [B, h, w, C]."""

  num_features: int
  first_features: int

  def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
    """Computes the feature map; `train` updates the batch statistics."""
    ...

  def first_and_last(
    self, images: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """That map, and before it the one of the first stage."""
    ...


class Live(nnx.BatchStat):
  """Which outputs are in use: kept with the statistics, never learnt."""


class Classifier(nnx.Module):
  """A backbone with a BN neck (`bottleneck`) and a linear head (`fc2`).

  The head and all it returns are float32, whatever the backbone computes in.
  """

  def __init__(
    self,
    backbone: Backbone,
    num_outputs: int,
    *,
    branches: Branches = _PLAIN,
    dropout: float = 0.2,
    rngs: nnx.Rngs,
  ) -> None:
    """Puts a head of `num_outputs` on the backbone.

    `branches` says what else to compute; `dropout` is the share of features
    dropped before the head.
    """
    width = backbone.num_features
    self.branches = branches
    self.backbone = backbone
    self.bottleneck = BatchNorm(width, use_bias=False)
    self.dropout = nnx.Dropout(dropout)
    # The length of a prototype under a cosine sets nothing but its pace.
    scale = width**-0.5 if branches.cosine else 0.001
    self.fc2 = nnx.Linear(
      width,
      num_outputs,
      use_bias=False,
      kernel_init=nnx.initializers.normal(scale),
      precision=jax.lax.Precision.HIGHEST,
      rngs=rngs,
    )
    if branches.prunable:
      self.live = Live(jnp.ones(num_outputs, bool))
    if branches.frequency_attention:
      self.frequency_attention = frequency_attention.FrequencyAttention(
        rngs=rngs
      )
    if branches.projection:
      self.projector = Projector(width, branches.projection, rngs=rngs)
    if branches.counterfactual:
      first = backbone.first_features
      # The 64 maps of a ResNet-50, in proportion; an even number.
      self.counterfactual = Counterfactual(
        first, num_outputs, maps=2 * max(4, first // 8), rngs=rngs
      )

  def __call__(
    self, images: jax.Array, *, train: bool, key: jax.Array | None = None
  ) -> Outputs:
    """Classifies normalised images [B, H, W, 3]; `key` feeds the dropout.

    Training uses and updates the batch statistics, needs a key unless the
    dropout is 0, and returns what the branches add.
    """
    first, last = self.backbone.first_and_last(images, train=train)
    feature_map = last.astype(jnp.float32)
    if self.branches.frequency_attention:
      feature_map = frequency_attention.apply(
        self.frequency_attention(images), feature_map
      )
    outputs = self.head(feature_map, train=train, key=key)
    if not (train and self.branches.counterfactual):
      return outputs
    if key is None:
      raise ValueError('The counterfactual branch draws: it needs a key.')
    seen = self.counterfactual(
      first.astype(jnp.float32), key=jax.random.fold_in(key, 1)
    )
    return dataclasses.replace(outputs, counterfactual=seen)

  def head(
    self, feature_map: jax.Array, *, train: bool, key: jax.Array | None = None
  ) -> Outputs:
    """Everything after the backbone's feature map [B, h, w, C]."""
    feature = self.bottleneck(feature_map.mean((1, 2)), train=train)
    logits = self.classify(
      self.dropout(feature, deterministic=not train, rngs=key)
    )
    if not train:
      return Outputs(logits, feature)
    detached = jax.lax.stop_gradient(feature_map)
    parts = tuple(
      perspectives.normalise_cells(perspectives.average_pool(detached, grid))
      for grid in self.branches.grids
    )
    return Outputs(
      logits,
      feature,
      parts,
      perspectives.haar_bands(detached) if self.branches.wavelet else (),
      self.projector(feature) if self.branches.projection else None,
    )

  def classify(self, feature: jax.Array) -> jax.Array:
    """Features [B, C] to logits [B, K]."""
    if self.branches.cosine:
      kernel = self.fc2.kernel[...]
      logits = COSINE_SCALE * jnp.matmul(
        vectors.unit(feature),
        vectors.unit(kernel, axis=0),
        precision=jax.lax.Precision.HIGHEST,
      )
    else:
      logits = self.fc2(feature)
    if self.branches.prunable:
      logits = mask_pruned(logits, self.live[...])
    return logits

  def get_head(self) -> Head:
    """The last layer."""
    live = self.live[...] if self.branches.prunable else None
    kernel = self.fc2.kernel[...]
    return Head(
      kernel.T, jnp.ones(kernel.shape[1], bool) if live is None else live
    )

  def set_head(self, head: Head) -> None:
    """Replaces the last layer, where it can be pruned."""
    if self.branches.prunable:
      self.fc2.kernel[...] = head.prototypes.T
      self.live[...] = head.in_use


class Projector(nnx.Module):
  """Features to the unit sphere on which contrastive losses compare them."""

  def __init__(self, width: int, size: int, *, rngs: nnx.Rngs) -> None:
    exact = jax.lax.Precision.HIGHEST
    linear = functools.partial(nnx.Linear, precision=exact, rngs=rngs)
    self.layer1 = linear(width, width)
    self.layer2 = linear(width, width)
    self.layer3 = linear(width, size)

  def __call__(self, feature: jax.Array) -> jax.Array:
    """Maps [B, C] to [B, size]."""
    hidden = nnx.gelu(self.layer1(feature))
    return vectors.unit(self.layer3(nnx.gelu(self.layer2(hidden))))


def in_use_from_statistics(batch_stats: Any) -> jax.Array | None:
  """Bool [K], the outputs in use; None for a network without `prunable`."""
  return batch_stats['live'][...] if 'live' in batch_stats else None


def create(
  *,
  backbone: str,
  num_outputs: int,
  image_size: int,
  width: float = 1.0,
  branches: Branches = _PLAIN,
  dropout: float = 0.2,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> Classifier:
  """Builds a classifier for square images of `image_size` pixels.

  `backbone` is a key of `resnet.CONFIGS`, `width` multiplies its channels,
  `dtype` ('float32' or 'bfloat16') is what it computes in.

  Raises:
    UserError: an unknown backbone or dtype, or a feature map smaller than the
      largest grid.
  """
  config = resnet.CONFIGS.get(backbone)
  if config is None:
    raise UserError(
      f'unknown backbone: --config.model.backbone={backbone}; choose one of '
      f'{", ".join(resnet.CONFIGS)}'
    )
  if dtype not in DTYPES:
    raise UserError(
      f'unknown dtype: --config.model.dtype={dtype}; choose one of '
      f'{", ".join(DTYPES)}'
    )
  check_grids(backbone, image_size, config.stride, branches.grids)
  network = resnet.ResNet(config, width=width, dtype=DTYPES[dtype], rngs=rngs)
  return Classifier(
    network, num_outputs, branches=branches, dropout=dropout, rngs=rngs
  )


def check_grids(
  backbone: str, image_size: int, stride: int, grids: Sequence[int]
) -> None:
  """Raises `UserError` unless the feature map has a pixel per grid cell."""
  size = -(-image_size // stride)
  if grids and size < max(grids):
    raise UserError(
      f'the feature map is smaller than a grid of parts: {image_size}-pixel '
      f'images over the stride {stride} of --config.model.backbone={backbone} '
      f'make a {size} x {size} map, the largest grid is {max(grids)} x '
      f'{max(grids)}; take larger images, or a backbone of smaller stride '
      '(configs/METHOD.py:folder64)'
    )
