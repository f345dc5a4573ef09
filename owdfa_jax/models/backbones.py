"""The backbones by name: each family is a file of this folder.

A family has networks of one kind. It gives their configs by name and the class
that builds one from a config.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax

from owdfa_jax.models import efficientnet, resnet


class Backbone(Protocol):
  """Maps the network's input [B, H, W, channels] to a map [B, h, w, C].

  Attributes:
    num_features: C, channels of the feature map.
    first_features: channels of the early feature map.
    pixel_mean: of RGB pixels in 0..1, what the front end subtracts.
    pixel_std: what it divides them by then.
  """

  num_features: int
  first_features: int
  pixel_mean: tuple[float, float, float]
  pixel_std: tuple[float, float, float]

  def first_and_last(
    self, images: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Returns an early feature map, of stride 4 or less, and the last one.

    Args:
      images: the network's input.
      train: use and update the batch statistics.
    """
    ...


class Config(Protocol):
  """The shape of a network."""

  @property
  def stride(self) -> int:
    """Image pixels for each pixel of the feature map."""
    ...


@dataclasses.dataclass(frozen=True)
class Family:
  """Networks of one kind.

  Attributes:
    network: `network(config, width=, channels=, dtype=, rngs=)` builds one:
      `width` multiplies the channels of all layers, `channels` are those of
      the input, `dtype` is what it computes in.
    configs: shapes of networks by the names that `model.backbone` takes.
  """

  network: Callable[..., Backbone]
  configs: Mapping[str, Any]


FAMILIES = (
  Family(resnet.ResNet, resnet.CONFIGS),
  Family(efficientnet.EfficientNet, efficientnet.CONFIGS),
)
# The family of each backbone.
BACKBONES = {name: family for family in FAMILIES for name in family.configs}
