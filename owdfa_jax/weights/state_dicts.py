"""Finds the state dicts in the object that a training script has saved."""

from collections.abc import Iterator
from typing import Any

from input_pipeline.escape import shortened
from owdfa_jax.weights.pickled_names import NoWeightsError, Tensor

# `{'trainer': {'model': {'ema': {...}}}}` has a depth of 3.
_MAX_DEPTH = 8
_KEYS_SHOWN = 8


def find_tensors(saved: Any) -> dict[str, Tensor]:
  """Finds the named tensors in a saved object, and drops all else.

  Args:
    saved: the object: a state dict, or dicts around one or several of them.

  Returns:
    If there is one state dict, its tensors by their names. Otherwise those of
    all, with the keys that lead to each: 'model_ema.conv1.weight'.

  Raises:
    NoWeightsError: there is no state dict.
    ValueError: two tensors have the same name.
  """
  found = list(_state_dicts(saved, '', 0, set()))
  if not found:
    raise NoWeightsError(f'no state dict in the file, but {_describe(saved)}')
  if len(found) == 1:
    return found[0][1]
  tensors: dict[str, Tensor] = {}
  for prefix, state in found:
    for name, tensor in state.items():
      if prefix + name in tensors:
        raise ValueError(f'two tensors named {prefix + name}')
      tensors[prefix + name] = tensor
  return tensors


def _state_dicts(
  saved: Any, prefix: str, depth: int, seen: set[int]
) -> Iterator[tuple[str, dict[str, Tensor]]]:
  """Yields the dicts that hold tensors, each with the keys before it.

  Only keys that are words count: an optimiser numbers its tensors.
  """
  # A dict may contain itself, or be in a million places.
  if depth > _MAX_DEPTH or id(saved) in seen:
    return
  seen.add(id(saved))
  if isinstance(saved, dict):
    named = {key: item for key, item in saved.items() if isinstance(key, str)}
  elif isinstance(saved, list | tuple):
    # Tensors in a list have no names.
    named = {
      str(number): item
      for number, item in enumerate(saved)
      if not isinstance(item, Tensor)
    }
  else:
    return
  state = {k: item for k, item in named.items() if isinstance(item, Tensor)}
  if state:
    yield prefix, state
  for key, item in named.items():
    yield from _state_dicts(item, f'{prefix}{key}.', depth + 1, seen)


def _describe(saved: Any) -> str:
  """Describes an object without a state dict."""
  if not isinstance(saved, dict):
    return f'an object of type {type(saved).__name__.lower()}'
  if not saved:
    return 'an empty dict'
  shown = [
    f'{shortened(str(key), 40)} ({type(item).__name__.lower()})'
    for key, item in list(saved.items())[:_KEYS_SHOWN]
  ]
  more = ', ...' if len(saved) > _KEYS_SHOWN else ''
  return f'a dict of {", ".join(shown)}{more}'
