"""Loads tensors with PyTorch's names and layouts into our networks."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.errors import UserError
from owdfa_jax.weights.misfits import check_backbone, some_names
from owdfa_jax.weights.prefixes import (
  NetworkPlace,
  Shape,
  ancestors,
  count_fits,
  locate,
)
from owdfa_jax.weights.wrappers import without_underscores, without_wrappers

# Our names of leaves that have another name in a state dict.
TORCH_LEAVES = {
  'kernel': 'weight',
  'scale': 'weight',
  'mean': 'running_mean',
  'var': 'running_var',
}
# PyTorch's counter of batches, which has no effect with a fixed momentum.
IGNORED = '.num_batches_tracked'
# By number of axes: a kernel's axes in PyTorch's order, and back.
_TO_TORCH: dict[int, Shape] = {2: (1, 0), 4: (3, 2, 0, 1)}
_FROM_TORCH: dict[int, Shape] = {2: (1, 0), 4: (2, 3, 1, 0)}
_BACKBONE = 'backbone.'
RGB_CHANNELS = 3


@dataclasses.dataclass(frozen=True)
class LoadReport:
  """Which tensors were loaded and which were not, by PyTorch's names.

  Attributes:
    source: where the weights come from.
    prefix: what precedes the backbone's names in the source.
    others: prefixes of other networks there that fit as well.
    loaded: the network's tensors that now equal the source's.
    missing: the network's tensors that the source lacks; they are unchanged.
    unused: the source's tensors that the network lacks.
    other_shapes: the network's tensors outside of the backbone that have
      another shape in the source; they are unchanged. For each its name, the
      source's shape and ours.
    widened: those of the loaded tensors that the source has for three channels
      and the network for more; see `widen`.
  """

  source: str
  prefix: str
  others: tuple[str, ...]
  loaded: tuple[str, ...]
  missing: tuple[str, ...]
  unused: tuple[str, ...]
  other_shapes: tuple[tuple[str, Shape, Shape], ...]
  widened: tuple[str, ...] = ()

  def __str__(self) -> str:
    """Returns one line for the log."""
    taken = f'{len(self.loaded)} tensors from {self.source}'
    if self.prefix not in ('', _BACKBONE):
      taken += f', the network {self.prefix}*'
    if self.others:
      others = ', '.join(f'{prefix}*' for prefix in self.others)
      taken += f', not its other one {others}'
    parts = [taken]
    if self.widened:
      parts.append(f'repeated for further channels: {some_names(self.widened)}')
    if self.missing:
      parts.append(f'not in the source: {some_names(self.missing)}')
    if self.other_shapes:
      shapes = [
        f'{name} {theirs} instead of {ours}'
        for name, theirs, ours in self.other_shapes
      ]
      parts.append(f'not loaded for their shape: {some_names(shapes)}')
    if self.unused:
      parts.append(f'not used: {some_names(self.unused)}')
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
  source: Mapping[str, np.ndarray],
  params: Any,
  batch_stats: Any,
  where: str,
  leave_out: tuple[str, ...] = (),
) -> tuple[Any, Any, LoadReport]:
  """Replaces the variables that the source has, and keeps the others.

  Args:
    source: tensors by PyTorch's names, in its layouts. Words of wrappers may
      precede the names, see `prefixes.locate`, or be inside of them.
    params: the network's parameters, a pytree of `jax.Array`.
    batch_stats: the network's statistics, a pytree of `jax.Array`.
    where: the name of the source in messages.
    leave_out: beginnings of names of our tensors that keep their values.

  Returns:
    Parameters and statistics of the same structure, dtypes and shardings, and
    a report.

  Raises:
    UserError: a tensor of the backbone is missing from the source or has
      another shape, a tensor has another kind of number, or the source has two
      networks. Differences outside of the backbone are only reported.
  """
  leaves, structure = jax.tree_util.tree_flatten_with_path(
    (params, batch_stats)
  )
  # The path's first key is the position in the pair of trees.
  ours = {torch_name(path[1:]): (path, leaf) for path, leaf in leaves}
  shapes = {
    name: tuple(leaf.shape[i] for i in _order(path, leaf.ndim, _TO_TORCH))
    for name, (path, leaf) in ours.items()
  }
  theirs = _with_plain_names(source, ours)
  place, places = _places(theirs, shapes, where)
  found, missing, other_shapes, widened = {}, [], [], []
  for name, (path, leaf) in ours.items():
    if name.startswith(leave_out):
      continue
    value = theirs.get(places.get(name, ''))
    if value is not None and can_widen(value.shape, shapes[name]):
      value = widen(value, shapes[name])
      widened.append(name)
    if value is None:
      missing.append(name)
    elif value.shape != shapes[name]:
      other_shapes.append((name, value.shape, shapes[name]))
    else:
      _check_number_type(name, value, leaf, where)
      order = _order(path, leaf.ndim, _FROM_TORCH)
      found[name] = put_like(value.transpose(order), leaf)
  backbone = {k: v for k, v in shapes.items() if k.startswith(_BACKBONE)}
  prefix = place.prefix if place else ''
  check_backbone(missing, other_shapes, backbone, theirs, prefix, where)
  report = LoadReport(
    source=where,
    prefix=prefix,
    others=place.others if place else (),
    loaded=tuple(found),
    missing=tuple(missing),
    unused=tuple(sorted(theirs.keys() - set(places.values()))),
    other_shapes=tuple(other_shapes),
    widened=tuple(widened),
  )
  filled = [found.get(name, leaf) for name, (_, leaf) in ours.items()]
  return *jax.tree.unflatten(structure, filled), report


def _with_plain_names(
  source: Mapping[str, np.ndarray], ours: Iterable[str]
) -> Mapping[str, np.ndarray]:
  """Returns the source's tensors, their names without words of wrappers.

  Args:
    source: tensors by PyTorch's names.
    ours: the names of our tensors; only words that they lack are removed.
  """
  theirs = {k: v for k, v in source.items() if not k.endswith(IGNORED)}
  parts = {name.removeprefix(_BACKBONE).split('.')[0] for name in ours}
  theirs = without_wrappers(theirs, parts)
  words = {word for name in ours for word in name.split('.')}
  return without_underscores(theirs, words)


def can_widen(theirs: Shape, ours: Shape) -> bool:
  """Returns whether `widen` makes a kernel of one shape into the other.

  Args:
    theirs: the shape of a kernel in PyTorch's layout, [out, 3, height, width].
    ours: the wanted shape, [out, channels, height, width].
  """
  return (
    len(theirs) == len(ours) == 4
    and theirs[1] == RGB_CHANNELS < ours[1]
    and ours[1] % RGB_CHANNELS == 0
    and theirs[:1] + theirs[2:] == ours[:1] + ours[2:]
  )


def widen(kernel: np.ndarray, shape: Shape) -> np.ndarray:
  """Repeats the kernel of a first convolution for the channels of a front end.

  A front end gives three channels, one of each colour, for each of its maps.
  Each map begins with the kernels of RGB images, divided by the number of maps:
  edges in colour are edges in a residual, and the sum keeps its size. Kernels
  of zero would leave the residual unused at first.

  Args:
    kernel: [out, 3, height, width].
    shape: [out, channels, height, width].

  Returns:
    An array of that shape.
  """
  maps = shape[1] // RGB_CHANNELS
  return np.tile(kernel / maps, (1, maps, 1, 1))


def torch_name(path: tuple[Any, ...]) -> str:
  """Returns a leaf's name in a state dict, given its path in a pytree."""
  names = _names(path)
  return '.'.join([*names[:-1], TORCH_LEAVES.get(names[-1], names[-1])])


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


def _places(
  theirs: Mapping[str, np.ndarray], ours: Mapping[str, Shape], where: str
) -> tuple[NetworkPlace | None, dict[str, str]]:
  """Finds our tensors in the source.

  Returns:
    The place of the backbone, and for each of our names one of the source; it
    may lack that name.
  """
  backbone, rest = {}, {}
  for name, shape in ours.items():
    if name.startswith(_BACKBONE):
      backbone[name.removeprefix(_BACKBONE)] = shape
    else:
      rest[name] = shape
  place = locate(theirs, backbone, where)
  if place is None:
    return None, {}
  # The head may stand beside the backbone, or above the words before it.
  fits = count_fits({name: x.shape for name, x in theirs.items()}, rest)
  above = ancestors(place.prefix)
  prefix = max(above, key=lambda prefix: fits.get(prefix, (0, 0)))
  return place, {
    **{_BACKBONE + name: place.find(name) for name in backbone},
    **{name: prefix + name for name in rest},
  }
