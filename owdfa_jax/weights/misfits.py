"""Explains why the tensors of a file do not fit a network."""

from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline.errors import UserError
from owdfa_jax.weights.architectures import name_architecture
from owdfa_jax.weights.prefixes import Shape

_NAMES_SHOWN = 5
_ADVICE = (
  'choose the network of these weights (--config.model.backbone, '
  '--config.model.width, --config.model.front_end)'
)


def check_backbone(
  missing: Sequence[str],
  other_shapes: Sequence[tuple[str, Shape, Shape]],
  backbone: Mapping[str, Shape],
  source: Mapping[str, np.ndarray],
  prefix: str,
  where: str,
) -> None:
  """Raises `UserError` unless the source has our backbone, and all of it.

  Args:
    missing: our names that the source lacks.
    other_shapes: our names, the source's shape and ours, where they differ.
    backbone: shapes of the backbone's tensors by our names.
    source: tensors by the names in the file.
    prefix: what precedes the backbone's names there.
    where: the name of the file in messages.
  """
  absent = [name for name in missing if name in backbone]
  shapes = {name: value.shape for name, value in source.items()}
  # Beside the backbone there may be other networks.
  parts = tuple({f'{prefix}{name.split(".")[1]}.' for name in backbone})
  own = {name: shapes[name] for name in shapes if name.startswith(parts)}
  theirs = name_architecture(own) or name_architecture(shapes)
  ours = name_architecture(backbone)
  if theirs in ('', ours):
    networks = ''
  else:
    networks = f' (it is {theirs}, the network {ours or "another one"})'
  if len(absent) == len(backbone):
    there = [f'{name} {shape}' for name, shape in shapes.items()]
    raise UserError(
      f'no weights for the backbone: {where} has {some_names(there)}, the '
      f'network {some_names(list(backbone))}{networks}; give a ResNet with the '
      'names of torchvision or timm, or an EfficientNet-Lite0 with those of '
      'efficientnet-lite-pytorch (--config.model.init)'
    )
  for name, their_shape, shape in other_shapes:
    if name in backbone:
      raise UserError(
        f'the weights have another shape: {where} has {name} as '
        f'{their_shape}, the network as {shape}{networks}; {_ADVICE}'
      )
  if absent:
    advice = _ADVICE if networks else 'give the whole state dict'
    raise UserError(
      f"weights are missing: {where} lacks {len(absent)} of the backbone's "
      f'{len(backbone)} tensors, {some_names(absent)}{networks}; {advice}'
    )
  # A deeper ResNet has all of our names, but its blocks work together only.
  if networks and ours:
    raise UserError(
      f'the weights are those of another network: {where}{networks}; {_ADVICE}'
    )


def some_names(names: Sequence[str]) -> str:
  """Returns the first few names, and how many more there are."""
  shown = ', '.join(names[:_NAMES_SHOWN])
  more = len(names) - _NAMES_SHOWN
  return f'{shown} and {more} more' if more > 0 else shown
