"""Fits tensors with PyTorch's names and layouts into our networks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.errors import UserError

Shape = tuple[int, ...]

# Our leaves that have another name in a state dict.
TORCH_LEAVES = {
  'kernel': 'weight',
  'scale': 'weight',
  'mean': 'running_mean',
  'var': 'running_var',
}
# What wrappers put before a network's names; they come off both sides.
PREFIXES = ('module.', 'model.', 'encoder.', 'backbone.')
# A counter of PyTorch's that nothing here depends on.
IGNORED = '.num_batches_tracked'
# Axes of a kernel as PyTorch orders them, and back.
_TO_TORCH: dict[int, Shape] = {2: (1, 0), 4: (3, 2, 0, 1)}
_FROM_TORCH: dict[int, Shape] = {2: (1, 0), 4: (2, 3, 1, 0)}
_BACKBONE = 'backbone.'
_NAMES_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Report:
  """What became of every tensor, by PyTorch's names.

  Attributes:
    source: where the weights came from.
    loaded: ours, now as in the source.
    missing: ours that the source has nothing for; left as they were.
    unused: the source's that the network has no place for.
    other_shapes: ours, outside the backbone, left as they were because the
      source's has another shape: name, its shape, ours.
  """

  source: str
  loaded: tuple[str, ...]
  missing: tuple[str, ...]
  unused: tuple[str, ...]
  other_shapes: tuple[tuple[str, Shape, Shape], ...]

  def __str__(self) -> str:
    """One line for the log."""
    parts = [f'{len(self.loaded)} tensors from {self.source}']
    if self.missing:
      parts.append(f'without a source: {", ".join(self.missing)}')
    if self.other_shapes:
      shapes = (f'{name} {a} for {b}' for name, a, b in self.other_shapes)
      parts.append(f'of another shape, left out: {", ".join(shapes)}')
    if self.unused:
      parts.append(f'not used: {", ".join(self.unused)}')
    return '; '.join(parts)


def state_dict(*trees: Any) -> dict[str, np.ndarray]:
  """Pytrees of parameters or statistics as PyTorch would name and order them.

  Kernels become [out, in, height, width] and [out, in]; views, where they can
  be.
  """
  return {
    torch_name(path): np.asarray(leaf).transpose(
      _order(path, np.ndim(leaf), _TO_TORCH)
    )
    for tree in trees
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def fill(
  source: Mapping[str, np.ndarray], params: Any, batch_stats: Any, where: str
) -> tuple[Any, Any, Report]:
  """Replaces what the source has by name, and keeps the rest.

  Args:
    source: tensors by PyTorch's names, in its layouts.
    params: the network's parameters, a pytree of `jax.Array`.
    batch_stats: its statistics, likewise.
    where: names the source in messages.

  Returns:
    Parameters and statistics of the same structure, types and shardings, and
    what was done.

  Raises:
    UserError: the backbone cannot be had whole from the source: names or
      shapes differ. Outside of it, they are merely reported.
  """
  leaves, structure = jax.tree_util.tree_flatten_with_path(
    (params, batch_stats)
  )
  # The first key tells parameters from statistics; so do the names.
  ours = {torch_name(path[1:]): (path, leaf) for path, leaf in leaves}
  theirs = _by_bare_name(source, where)
  found, missing, other_shapes = {}, [], []
  for name, (path, leaf) in ours.items():
    if bare_name(name) not in theirs:
      missing.append(name)
      continue
    _, value = theirs[bare_name(name)]
    shape = tuple(leaf.shape[i] for i in _order(path, leaf.ndim, _TO_TORCH))
    if value.shape != shape:
      other_shapes.append((name, value.shape, shape))
    else:
      _check_type(name, value, leaf, where)
      order = _order(path, leaf.ndim, _FROM_TORCH)
      found[name] = put_like(value.transpose(order), leaf)
  _check_backbone(missing, other_shapes, ours, source, where)
  known = {bare_name(name) for name in ours}
  report = Report(
    source=where,
    loaded=tuple(found),
    missing=tuple(missing),
    unused=tuple(
      sorted(name for bare, (name, _) in theirs.items() if bare not in known)
    ),
    other_shapes=tuple(other_shapes),
  )
  filled = [found.get(name, leaf) for name, (_, leaf) in ours.items()]
  return *jax.tree.unflatten(structure, filled), report


def torch_name(path: tuple[Any, ...]) -> str:
  """The name in a state dict of a leaf at a path of pytree keys."""
  names = _names(path)
  return '.'.join([*names[:-1], TORCH_LEAVES.get(names[-1], names[-1])])


def bare_name(name: str) -> str:
  """A name without the prefixes of wrappers."""
  while name.startswith(PREFIXES):
    name = name.partition('.')[2]
  return name


def put_like(value: np.ndarray, leaf: jax.Array) -> jax.Array:
  """Puts an array where another one lives, in its type."""
  value = np.array(value, leaf.dtype, order='C')
  with jax.transfer_guard_host_to_device('allow'):
    return jax.make_array_from_callback(
      leaf.shape, leaf.sharding, lambda index: value[index]
    )


def _names(path: tuple[Any, ...]) -> list[str]:
  names = jax.tree_util.keystr(path, simple=True, separator='.').split('.')
  # A Flax variable's own array.
  return names[:-1] if names[-1] == 'value' else names


def _order(path: tuple[Any, ...], ndim: int, orders: dict[int, Shape]) -> Shape:
  """The axes of a leaf, permuted where it is a kernel."""
  if _names(path)[-1] == 'kernel' and ndim in orders:
    return orders[ndim]
  return tuple(range(ndim))


def _check_type(
  name: str, value: np.ndarray, leaf: jax.Array, where: str
) -> None:
  theirs, ours = (jnp.issubdtype(x.dtype, jnp.floating) for x in (value, leaf))
  if theirs != ours:
    raise UserError(
      f'weights of another type: {where} has {name} as {value.dtype}, the '
      f'network as {leaf.dtype}; give weights that are not quantised'
    )


def _by_bare_name(
  source: Mapping[str, np.ndarray], where: str
) -> dict[str, tuple[str, np.ndarray]]:
  theirs: dict[str, tuple[str, np.ndarray]] = {}
  for name, value in source.items():
    if name.endswith(IGNORED):
      continue
    other, _ = theirs.setdefault(bare_name(name), (name, value))
    if other != name:
      raise UserError(
        f'two networks in one file: {where} has {other} and {name}; '
        'save the state dict of one of them'
      )
  return theirs


def _check_backbone(
  missing: list[str],
  other_shapes: list[tuple[str, Shape, Shape]],
  ours: Mapping[str, Any],
  source: Mapping[str, Any],
  where: str,
) -> None:
  backbone = [name for name in ours if name.startswith(_BACKBONE)]
  absent = [name for name in missing if name.startswith(_BACKBONE)]
  if len(absent) == len(backbone):
    raise UserError(
      f'no weights of the backbone: {where} has {_some(list(source))}, the '
      f'network {_some(backbone)}; give a ResNet with the names of '
      'torchvision or timm (--config.model.init)'
    )
  advice = (
    'choose the network that the weights are of (--config.model.backbone, '
    'model.width)'
  )
  for name, their_shape, shape in other_shapes:
    if name.startswith(_BACKBONE):
      raise UserError(
        f'weights of another shape: {where} has {name} as {their_shape}, the '
        f'network as {shape}; {advice}'
      )
  if absent:
    raise UserError(
      f"weights missing: {where} lacks {len(absent)} of the backbone's "
      f'{len(backbone)} tensors, {_some(absent)}; {advice}'
    )


def _some(names: list[str]) -> str:
  shown = ', '.join(names[:_NAMES_SHOWN])
  return shown + ', ...' if len(names) > _NAMES_SHOWN else shown
