"""EfficientNet-Lite: inverted bottlenecks with depthwise convolutions.

Paths read as in the state dict of the package `efficientnet-lite-pytorch`,
without the underscores that its names begin with: `blocks.0.depthwise_conv`.

References:
  Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural
  Networks, ICML 2019. Lite leaves out squeeze-and-excitation and has ReLU6
  instead of SiLU.
"""

import dataclasses
import functools
import itertools
import math

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax.models.batch_norm import BatchNorm
from owdfa_jax.models.convolutions import conv
from owdfa_jax.models.depthwise import DepthwiseConv

# The weights were trained with TensorFlow's settings of its batch norm.
_batch_norm = functools.partial(BatchNorm, epsilon=1e-3, momentum=0.01)
# The stages whose end is called the first: stride 4, as that of a ResNet's.
_FIRST_STAGES = 2


@dataclasses.dataclass(frozen=True)
class StageShape:
  """A sequence of blocks.

  Attributes:
    depth: number of blocks.
    kernel: side of the depthwise kernels.
    stride: of the first block.
    expansion: channels inside a block, divided by those of its input.
    features: channels of the output.
  """

  depth: int
  kernel: int
  stride: int
  expansion: int
  features: int


@dataclasses.dataclass(frozen=True)
class EfficientNetConfig:
  """The shape of an EfficientNet.

  Attributes:
    stages: between the first convolution, whose stride is 2, and the last.
    stem_features: channels of the first convolution.
    num_features: channels of the last convolution, a 1x1.
  """

  stages: tuple[StageShape, ...]
  stem_features: int = 32
  num_features: int = 1280

  @property
  def stride(self) -> int:
    """Image pixels for each pixel of the feature map."""
    return 2 * math.prod(stage.stride for stage in self.stages)


_LITE0 = (
  StageShape(depth=1, kernel=3, stride=1, expansion=1, features=16),
  StageShape(depth=2, kernel=3, stride=2, expansion=6, features=24),
  StageShape(depth=2, kernel=5, stride=2, expansion=6, features=40),
  StageShape(depth=3, kernel=3, stride=2, expansion=6, features=80),
  StageShape(depth=3, kernel=5, stride=1, expansion=6, features=112),
  StageShape(depth=4, kernel=5, stride=2, expansion=6, features=192),
  StageShape(depth=1, kernel=3, stride=1, expansion=6, features=320),
)
CONFIGS = {
  'efficientnet_lite0': EfficientNetConfig(_LITE0),
  # For 128-pixel images: an 8 x 8 map, so that a 7 x 7 grid fits. A stride has
  # no weights, so those of the former fit.
  'efficientnet_lite0_stride16': EfficientNetConfig(
    (*_LITE0[:5], dataclasses.replace(_LITE0[5], stride=1), _LITE0[6])
  ),
}


class InvertedBottleneck(nnx.Module):
  """An inverted bottleneck: 1x1 to many channels, depthwise, 1x1 to few.

  The few channels are not passed through a ReLU6. The input is added where it
  has the shape of the output. `expand_conv` is None if the expansion is 1.
  """

  def __init__(
    self,
    in_features: int,
    stage: StageShape,
    stride: int,
    out_features: int,
    *,
    dtype: jnp.dtype,
    rngs: nnx.Rngs,
  ) -> None:
    inner = in_features * stage.expansion
    layer = functools.partial(conv, kernel=1, stride=1, dtype=dtype, rngs=rngs)
    self.expand_conv: nnx.Conv | None
    self.bn0: BatchNorm | None
    if stage.expansion > 1:
      self.expand_conv = layer(in_features, inner)
      self.bn0 = _batch_norm(inner)
    else:
      self.expand_conv = self.bn0 = None
    self.depthwise_conv = DepthwiseConv(
      inner, stage.kernel, stride, dtype=dtype, rngs=rngs
    )
    self.bn1 = _batch_norm(inner)
    self.project_conv = layer(inner, out_features)
    self.bn2 = _batch_norm(out_features)
    self.has_shortcut = stride == 1 and in_features == out_features

  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), C']."""
    y = x
    if self.expand_conv is not None and self.bn0 is not None:
      y = nnx.relu6(self.bn0(self.expand_conv(y), train=train))
    y = nnx.relu6(self.bn1(self.depthwise_conv(y), train=train))
    y = self.bn2(self.project_conv(y), train=train)
    return x + y if self.has_shortcut else y


class EfficientNet(nnx.Module):
  """An EfficientNet-Lite up to its last feature map, without a head.

  It has no stochastic depth, which the weights were trained with.

  Attributes:
    num_features: C, channels of the feature map.
    first_features: channels after the second stage, whose stride is 4.
    pixel_mean: what the weights expect to be subtracted from pixels in 0..1.
    pixel_std: what they expect them to be divided by then.
    stride: image pixels for each pixel of the feature map.
  """

  pixel_mean = (127 / 255,) * 3
  pixel_std = (128 / 255,) * 3

  def __init__(
    self,
    config: EfficientNetConfig,
    *,
    width: float = 1.0,
    channels: int = 3,
    dtype: jnp.dtype = jnp.float32,
    rngs: nnx.Rngs,
  ) -> None:
    """Builds a network.

    Args:
      config: its shape.
      width: multiplies the channels of all layers; rounded to multiples of 8.
      channels: of the input.
      dtype: what it computes in; parameters are float32.
      rngs: source of the initial parameters.
    """

    def scaled(features: int) -> int:
      return max(8, 8 * round(width * features / 8))

    features = scaled(config.stem_features)
    self.conv_stem = conv(
      channels, features, 3, 2, padding='SAME', dtype=dtype, rngs=rngs
    )
    self.bn0 = _batch_norm(features)
    blocks = []
    for stage in config.stages:
      out_features = scaled(stage.features)
      for index in range(stage.depth):
        stride = stage.stride if index == 0 else 1
        blocks.append(
          InvertedBottleneck(
            features, stage, stride, out_features, dtype=dtype, rngs=rngs
          )
        )
        features = out_features
    self.blocks = nnx.List(blocks)
    self.num_features = scaled(config.num_features)
    self.conv_head = conv(
      features, self.num_features, 1, 1, dtype=dtype, rngs=rngs
    )
    self.bn1 = _batch_norm(self.num_features)
    first = config.stages[:_FIRST_STAGES]
    self.num_first_blocks = sum(stage.depth for stage in first)
    self.first_features = scaled(first[-1].features)
    self.stride = config.stride

  def first_and_last(
    self, images: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Returns the feature maps after the second stage and the last layer.

    Args:
      images: the network's input, [B, H, W, channels].
      train: use and update the batch statistics, see `BatchNorm`.

    Returns:
      [B, h', w', `first_features`] and [B, h, w, C], with h = ceil(H / stride),
      in the dtype of the computation.
    """
    x = nnx.relu6(self.bn0(self.conv_stem(images), train=train))
    for block in itertools.islice(self.blocks, self.num_first_blocks):
      x = block(x, train=train)
    first = x
    for block in itertools.islice(self.blocks, self.num_first_blocks, None):
      x = block(x, train=train)
    return first, nnx.relu6(self.bn1(self.conv_head(x), train=train))
