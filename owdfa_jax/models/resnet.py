"""ResNets (v1.5: the stride is in the 3x3 convolution), named as torchvision's.

Paths read as in a state dict of torchvision or timm, `layer1.0.conv1` and so
on; leaves have Flax's names (kernel, scale, bias, mean, var).

References:
  He et al., Deep Residual Learning for Image Recognition, CVPR 2016.
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax.models.batch_norm import BatchNorm
from owdfa_jax.models.convolutions import conv
from owdfa_jax.models.front_end import IMAGENET_MEAN, IMAGENET_STD


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
  """The shape of a ResNet.

  Attributes:
    depths: number of blocks in each stage.
    widths: channels of each stage's 3x3 convolutions; the stem has as many as
      the first stage.
    strides: stride of each stage's first block.
    expansion: output channels divided by width: 1 for basic blocks (two 3x3), 4
      for bottlenecks (1x1, 3x3, 1x1).
    stem_kernel: size of the stem's convolution, whose stride is 2.
    stem_pool: whether a 3x3 max-pool of stride 2 follows the stem.
  """

  depths: tuple[int, ...]
  widths: tuple[int, ...] = (64, 128, 256, 512)
  strides: tuple[int, ...] = (1, 2, 2, 2)
  expansion: int = 1
  stem_kernel: int = 7
  stem_pool: bool = True

  @property
  def stride(self) -> int:
    """Image pixels for each pixel of the feature map."""
    return 2 * (2 if self.stem_pool else 1) * math.prod(self.strides)


CONFIGS = {
  'resnet18': ResNetConfig(depths=(2, 2, 2, 2)),
  'resnet34': ResNetConfig(depths=(3, 4, 6, 3)),
  'resnet50': ResNetConfig(depths=(3, 4, 6, 3), expansion=4),
  # For 64-pixel images: an 8 x 8 map, so that a 7 x 7 grid fits.
  'small': ResNetConfig(
    depths=(1, 1, 1, 1),
    widths=(32, 64, 128, 256),
    strides=(1, 2, 2, 1),
    stem_kernel=3,
    stem_pool=False,
  ),
}


class Block(nnx.Module):
  """A residual block: convolutions `conv1`.. each with its `bn1`.., shortcut.

  A basic block has two 3x3 convolutions, a bottleneck 1x1, 3x3 and 1x1. The
  first 3x3 has the stride. `downsample` is a 1x1 projection of the shortcut and
  its batch norm if the shape changes, else None.
  """

  def __init__(
    self,
    in_features: int,
    width: int,
    stride: int,
    expansion: int,
    *,
    dtype: jnp.dtype,
    rngs: nnx.Rngs,
  ) -> None:
    layer = functools.partial(conv, dtype=dtype, rngs=rngs)
    out_features = width * expansion
    self.bottleneck = expansion > 1
    # v1.5 has the stride in the 3x3; the original has it in the first 1x1.
    if self.bottleneck:
      self.conv1 = layer(in_features, width, 1, 1)
      self.conv2 = layer(width, width, 3, stride)
      self.conv3 = layer(width, out_features, 1, 1)
      self.bn3 = BatchNorm(out_features)
    else:
      self.conv1 = layer(in_features, width, 3, stride)
      self.conv2 = layer(width, out_features, 3, 1)
    self.bn1 = BatchNorm(width)
    self.bn2 = BatchNorm(width)
    # torchvision's names again: `downsample.0` and `downsample.1`.
    self.downsample: nnx.List[Any] | None
    if stride > 1 or in_features != out_features:
      projection = layer(in_features, out_features, 1, stride)
      self.downsample = nnx.List([projection, BatchNorm(out_features)])
    else:
      self.downsample = None

  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, width * expansion]."""
    y = nnx.relu(self.bn1(self.conv1(x), train=train))
    y = self.bn2(self.conv2(y), train=train)
    if self.bottleneck:
      y = self.bn3(self.conv3(nnx.relu(y)), train=train)
    if self.downsample is not None:
      projection, norm = self.downsample
      x = norm(projection(x), train=train)
    return nnx.relu(x + y)


class ResNet(nnx.Module):
  """A ResNet up to its last feature map, without a head.

  Attributes:
    num_features: C, channels of the feature map.
    first_features: channels after the first stage.
    pixel_mean: what the published weights expect to be subtracted from pixels
      in 0..1.
    pixel_std: what they expect them to be divided by then.
    stride: image pixels for each pixel of the feature map.
  """

  pixel_mean = IMAGENET_MEAN
  pixel_std = IMAGENET_STD

  def __init__(
    self,
    config: ResNetConfig,
    *,
    width: float = 1.0,
    channels: int = 3,
    dtype: jnp.dtype = jnp.float32,
    rngs: nnx.Rngs,
  ) -> None:
    """Builds a network.

    Args:
      config: its shape.
      width: multiplies the channels of all layers.
      channels: of the input.
      dtype: what it computes in; parameters are float32.
      rngs: source of the initial parameters.
    """
    widths = [round(width * features) for features in config.widths]
    features = widths[0]
    self.conv1 = conv(
      channels, features, config.stem_kernel, 2, dtype=dtype, rngs=rngs
    )
    self.bn1 = BatchNorm(features)
    self.stem_pool = config.stem_pool
    self.num_stages = len(widths)
    for stage in range(self.num_stages):
      blocks = []
      for index in range(config.depths[stage]):
        block = Block(
          features,
          widths[stage],
          config.strides[stage] if index == 0 else 1,
          config.expansion,
          dtype=dtype,
          rngs=rngs,
        )
        blocks.append(block)
        features = widths[stage] * config.expansion
      # torchvision's names: layer1 to layer4.
      setattr(self, f'layer{stage + 1}', nnx.List(blocks))
    self.num_features = features
    self.first_features = widths[0] * config.expansion
    self.stride = config.stride

  def stages(self) -> list[nnx.List]:
    """Returns the lists of blocks `layer1`, `layer2`, ..., in order."""
    return [getattr(self, f'layer{i + 1}') for i in range(self.num_stages)]

  def stem(self, images: jax.Array, *, train: bool) -> jax.Array:
    """Computes all before `layer1`: [B, H, W, C] to [B, H', W', C']."""
    x = nnx.relu(self.bn1(self.conv1(images), train=train))
    if self.stem_pool:
      # Padded as PyTorch does, for the same reason as in `conv`.
      x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
    return x

  def first_and_last(
    self, images: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Returns the feature maps after the first stage and after the last.

    Args:
      images: the network's input, [B, H, W, channels].
      train: use and update the batch statistics, see `BatchNorm`.

    Returns:
      [B, h', w', `first_features`] and [B, h, w, C], with h = ceil(H / stride),
      in the dtype of the computation.
    """
    x = self.stem(images, train=train)
    maps = []
    for blocks in self.stages():
      for block in blocks:
        x = block(x, train=train)
      maps.append(x)
    return maps[0], maps[-1]
