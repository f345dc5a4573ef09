"""Builds a classifier from the names and numbers of a config."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx

from input_pipeline.errors import UserError, check_choice
from owdfa_jax.models.backbones import BACKBONES
from owdfa_jax.models.classifier import NO_BRANCHES, Classifier
from owdfa_jax.models.front_end import FRONT_ENDS, num_channels
from owdfa_jax.models.local_spectrum import SpectrumBranch
from owdfa_jax.models.outputs import Branches

DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


def create_classifier(
  *,
  backbone: str,
  num_outputs: int,
  image_size: int,
  width: float = 1.0,
  branches: Branches = NO_BRANCHES,
  front_end: str = 'rgb',
  spectrum_features: int = 0,
  spectrum_projections: int = 0,
  dropout: float = 0.2,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> Classifier:
  """Builds a classifier for square images.

  Args:
    backbone: a key of `backbones.BACKBONES`.
    num_outputs: K, width of the head.
    image_size: side of the images in pixels.
    width: multiplies the backbone's channels.
    branches: what to compute besides logits and the global feature.
    front_end: what the network sees, a key of `front_end.FRONT_ENDS`.
    spectrum_features: trained features of the spectrum branch; 0 for none.
    spectrum_projections: fixed features of that branch; 0 for none.
    dropout: share of the features dropped before the head.
    dtype: what the backbone computes in, a key of `DTYPES`.
    rngs: source of the initial parameters.

  Raises:
    UserError: the backbone, front end or dtype is unknown, or the feature map
      is smaller than the largest grid.
  """
  check_choice('--config.model.backbone', backbone, BACKBONES)
  check_choice('--config.model.front_end', front_end, FRONT_ENDS)
  check_choice('--config.model.dtype', dtype, DTYPES)
  family = BACKBONES[backbone]
  config = family.configs[backbone]
  # Pooling would fail with a message about shapes that names no setting.
  check_grids(backbone, image_size, config.stride, branches.grids)
  network = family.network(
    config,
    width=width,
    channels=num_channels(front_end),
    dtype=DTYPES[dtype],
    rngs=rngs,
  )
  spectrum = None
  if spectrum_features or spectrum_projections:
    spectrum = SpectrumBranch(
      image_size,
      spectrum_features,
      spectrum_projections,
      front_end=front_end,
      rngs=rngs,
    )
  return Classifier(
    network,
    num_outputs,
    branches=branches,
    front_end=front_end,
    spectrum=spectrum,
    dropout=dropout,
    rngs=rngs,
  )


def check_grids(
  backbone: str, image_size: int, stride: int, grids: Sequence[int]
) -> None:
  """Raises `UserError` if the feature map has fewer pixels than a grid cells.

  Args:
    backbone: the backbone's name, for the message.
    image_size: side of the images in pixels.
    stride: image pixels for each pixel of the feature map.
    grids: sides of the grids.
  """
  # Padded convolutions round up where the stride does not divide the size.
  size = -(-image_size // stride)
  if grids and size < max(grids):
    raise UserError(
      f'the feature map is smaller than a grid of parts: {image_size}-pixel '
      f'images with the stride {stride} of --config.model.backbone={backbone} '
      f'give a {size} x {size} map, the largest grid is {max(grids)} x '
      f'{max(grids)}; use larger images, or a backbone of smaller stride '
      '(configs/METHOD.py:folder64)'
    )
