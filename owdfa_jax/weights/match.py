"""Loads tensors with PyTorch's names and layouts into our networks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.errors import UserError

Shape = tuple[int, ...]

# Our names of leaves that have another name in a state dict.
TORCH_LEAVES = {
  'kernel': 'weight',
  'scale': 'weight',
  'mean': 'running_mean',
  'var': 'running_var',
}
# Prefixes that wrappers put before a network's names. They are removed from our
# names and from those of the source.
PREFIXES = ('module.', 'model.', 'encoder.', 'backbone.')
# PyTorch's counter of batches, which has no effect with a fixed momentum.
IGNORED = '.num_batches_tracked'
# By number of axes: a kernel's axes in PyTorch's order, and back.
_TO_TORCH: dict[int, Shape] = {2: (1, 0), 4: (3, 2, 0, 1)}
_FROM_TORCH: dict[int, Shape] = {2: (1, 0), 4: (2, 3, 1, 0)}
_BACKBONE = 'backbone.'
_NAMES_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class LoadReport:
  """Which tensors were loaded and which were not, by PyTorch's names.

  Attributes:
    source: where the weights come from.
    loaded: the network's tensors that now equal the source's.
    missing: the network's tensors that the source lacks; they are unchanged.
    unused: the source's tensors that the network lacks.
    other_shapes: the network's tensors outside of the backbone that have
      another shape in the source; they are unchanged. For each its name, the
      source's shape and ours.
  """

  source: str
  loaded: tuple[str, ...]
  missing: tuple[str, ...]
  unused: tuple[str, ...]
  other_shapes: tuple[tuple[str, Shape, Shape], ...]

  def __str__(self) -> str:
    """Returns one line for the log."""
    parts = [f'{len(self.loaded)} tensors from {self.source}']
    if self.missing:
      parts.append(f'not in the source: {", ".join(self.missing)}')
    if self.other_shapes:
      shapes = (
        f'{name} {theirs} instead of {ours}'
        for name, theirs, ours in self.other_shapes
      )
      parts.append(f'not loaded for their shape: {", ".join(shapes)}')
    if self.unused:
      parts.append(f'not used: {", ".join(self.unused)}')
    return '; '.join(parts)


def to_state_dict(*trees: Any) -> dict[str, np.ndarray]:
  """Converts pytrees of variables to a state dict as PyTorch would have it.

  Kernels become [out, in, height, width] and [out, in].

  Args:
    *trees: parameters or statistics.

  Returns:
    Arrays by PyTorch's names, views of the leaves if possible.
  """
  return {
    torch_name(path): np.asarray(leaf).transpose(
      _order(path, np.ndim(leaf), _TO_TORCH)
    )
    for tree in trees
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def fill_network(
  source: Mapping[str, np.ndarray], params: Any, batch_stats: Any, where: str
) -> tuple[Any, Any, LoadReport]:
  """Replaces the variables that the source has, and keeps the others.

  Args:
    source: tensors by PyTorch's names, in its layouts.
    params: the network's parameters, a pytree of `jax.Array`.
    batch_stats: the network's statistics, a pytree of `jax.Array`.
    where: the name of the source in messages.

  Returns:
    Parameters and statistics of the same structure, dtypes and shardings, and
    a report.

  Raises:
    UserError: a tensor of the backbone is missing from the source or has
      another shape, or a tensor has another kind of number. Differences
      outside of the backbone are only reported.
  """
  leaves, structure = jax.tree_util.tree_flatten_with_path(
    (params, batch_stats)
  )
  # The path's first key is the position in the pair of trees.
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
      _check_number_type(name, value, leaf, where)
      order = _order(path, leaf.ndim, _FROM_TORCH)
      found[name] = put_like(value.transpose(order), leaf)
  _check_backbone(missing, other_shapes, ours, source, where)
  known = {bare_name(name) for name in ours}
  unused = (name for bare, (name, _) in theirs.items() if bare not in known)
  report = LoadReport(
    source=where,
    loaded=tuple(found),
    missing=tuple(missing),
    unused=tuple(sorted(unused)),
    other_shapes=tuple(other_shapes),
  )
  filled = [found.get(name, leaf) for name, (_, leaf) in ours.items()]
  return *jax.tree.unflatten(structure, filled), report


def torch_name(path: tuple[Any, ...]) -> str:
  """Returns a leaf's name in a state dict, given its path in a pytree."""
  names = _names(path)
  return '.'.join([*names[:-1], TORCH_LEAVES.get(names[-1], names[-1])])


def bare_name(name: str) -> str:
  """Returns a name without the prefixes of wrappers."""
  while name.startswith(PREFIXES):
    name = name.partition('.')[2]
  return name


def put_like(value: np.ndarray, leaf: jax.Array) -> jax.Array:
  """Converts an array to the dtype and the sharding of `leaf`."""
  # A copy: the step donates its buffers, and the source must not change.
  value = np.array(value, leaf.dtype, order='C')
  with jax.transfer_guard_host_to_device('allow'):
    return jax.make_array_from_callback(
      leaf.shape, leaf.sharding, lambda index: value[index]
    )


def _names(path: tuple[Any, ...]) -> list[str]:
  """Returns the keys of a path as strings."""
  names = jax.tree_util.keystr(path, simple=True, separator='.').split('.')
  # The last key is that of a Flax variable's array.
  return names[:-1] if names[-1] == 'value' else names


def _order(path: tuple[Any, ...], ndim: int, orders: dict[int, Shape]) -> Shape:
  """Returns the order of a leaf's axes; only a kernel's is in `orders`."""
  if _names(path)[-1] == 'kernel' and ndim in orders:
    return orders[ndim]
  return tuple(range(ndim))


def _check_number_type(
  name: str, value: np.ndarray, leaf: jax.Array, where: str
) -> None:
  """Raises `UserError` if one is a floating-point array and the other not."""
  theirs, ours = (jnp.issubdtype(x.dtype, jnp.floating) for x in (value, leaf))
  if theirs != ours:
    raise UserError(
      f'the weights have another type: {where} has {name} as {value.dtype}, '
      f'the network as {leaf.dtype}; give weights that are not quantised'
    )


def _by_bare_name(
  source: Mapping[str, np.ndarray], where: str
) -> dict[str, tuple[str, np.ndarray]]:
  """Returns names and tensors of the source, by their names without prefix."""
  theirs: dict[str, tuple[str, np.ndarray]] = {}
  for name, value in source.items():
    if name.endswith(IGNORED):
      continue
    other, _ = theirs.setdefault(bare_name(name), (name, value))
    if other != name:
      raise UserError(
        f'the file contains two networks: {where} has {other} and {name}; '
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
  """Raises `UserError` unless all of the backbone can be loaded."""
  backbone = [name for name in ours if name.startswith(_BACKBONE)]
  absent = [name for name in missing if name.startswith(_BACKBONE)]
  if len(absent) == len(backbone):
    raise UserError(
      f'no weights for the backbone: {where} has {_some(list(source))}, the '
      f'network {_some(backbone)}; give a ResNet with the names of '
      'torchvision or timm (--config.model.init)'
    )
  advice = (
    'choose the network of these weights (--config.model.backbone, '
    '--config.model.width)'
  )
  for name, their_shape, shape in other_shapes:
    if name.startswith(_BACKBONE):
      raise UserError(
        f'the weights have another shape: {where} has {name} as '
        f'{their_shape}, the network as {shape}; {advice}'
      )
  if absent:
    raise UserError(
      f"weights are missing: {where} lacks {len(absent)} of the backbone's "
      f'{len(backbone)} tensors, {_some(absent)}; {advice}'
    )


def _some(names: list[str]) -> str:
  """Returns the first few names for a message."""
  shown = ', '.join(names[:_NAMES_SHOWN])
  return shown + ', ...' if len(names) > _NAMES_SHOWN else shown
