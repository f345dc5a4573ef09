"""The open-world classifier: backbone, BN neck, head, perspectives."""

from collections.abc import Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from input_pipeline.errors import UserError
from owdfa_jax.models import perspectives, resnet
from owdfa_jax.models.batch_norm import BatchNorm
from owdfa_jax.models.outputs import Outputs

DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


class Backbone(Protocol):
  """Maps normalised images [B, H, W, 3] to a feature map [B, h, w, C]."""

  num_features: int

  def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
    """Computes the feature map; `train` updates the batch statistics."""
    ...


class Classifier(nnx.Module):
  """A backbone with a BN neck (`bottleneck`) and a linear head (`fc2`).

  The head and all it returns are float32, whatever the backbone computes in.
  """

  def __init__(
    self,
    backbone: Backbone,
    num_classes: int,
    *,
    grids: Sequence[int] = (),
    wavelet: bool = False,
    dropout: float = 0.2,
    rngs: nnx.Rngs,
  ) -> None:
    """Puts a head of `num_classes` on the backbone.

    `grids` and `wavelet` choose the parts and bands that training returns;
    `dropout` is the share of features dropped before the head.
    """
    self.backbone = backbone
    self.bottleneck = BatchNorm(backbone.num_features, use_bias=False)
    self.dropout = nnx.Dropout(dropout)
    self.fc2 = nnx.Linear(
      backbone.num_features,
      num_classes,
      use_bias=False,
      kernel_init=nnx.initializers.normal(0.001),
      precision=jax.lax.Precision.HIGHEST,
      rngs=rngs,
    )
    self.grids = tuple(grids)
    self.wavelet = wavelet

  def __call__(
    self, images: jax.Array, *, train: bool, key: jax.Array | None = None
  ) -> Outputs:
    """Classifies normalised images [B, H, W, 3]; `key` feeds the dropout.

    Training uses and updates the batch statistics, needs a key unless the
    dropout is 0, and returns parts and bands.
    """
    return self.head(self.backbone(images, train=train), train=train, key=key)

  def head(
    self, feature_map: jax.Array, *, train: bool, key: jax.Array | None = None
  ) -> Outputs:
    """Everything after the backbone's feature map [B, h, w, C]."""
    feature_map = feature_map.astype(jnp.float32)
    feature = self.bottleneck(feature_map.mean((1, 2)), train=train)
    dropped = self.dropout(feature, deterministic=not train, rngs=key)
    logits = self.fc2(dropped)
    if not train:
      return Outputs(logits, feature)
    detached = jax.lax.stop_gradient(feature_map)
    parts = tuple(
      perspectives.normalise_cells(perspectives.average_pool(detached, grid))
      for grid in self.grids
    )
    bands = perspectives.haar_bands(detached) if self.wavelet else ()
    return Outputs(logits, feature, parts, bands)


def create(
  *,
  backbone: str,
  num_classes: int,
  image_size: int,
  width: float = 1.0,
  grids: Sequence[int] = (),
  wavelet: bool = False,
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
      f'unknown backbone: model.backbone={backbone}; choose one of '
      f'{", ".join(resnet.CONFIGS)}'
    )
  if dtype not in DTYPES:
    raise UserError(
      f'unknown dtype: model.dtype={dtype}; choose one of {", ".join(DTYPES)}'
    )
  check_grids(backbone, image_size, config.stride, grids)
  network = resnet.ResNet(config, width=width, dtype=DTYPES[dtype], rngs=rngs)
  return Classifier(
    network,
    num_classes,
    grids=grids,
    wavelet=wavelet,
    dropout=dropout,
    rngs=rngs,
  )


def check_grids(
  backbone: str, image_size: int, stride: int, grids: Sequence[int]
) -> None:
  """Raises `UserError` unless the feature map has a pixel per grid cell."""
  size = -(-image_size // stride)
  if grids and size < max(grids):
    raise UserError(
      f'the feature map is smaller than a grid of parts: {image_size}-pixel '
      f'images over the stride {stride} of model.backbone={backbone} make a '
      f'{size} x {size} map, the largest grid is {max(grids)} x {max(grids)}; '
      'take larger images or a backbone of smaller stride'
    )
