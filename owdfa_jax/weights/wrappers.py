"""Removes from tensors' names what is no part of the network's own names.

A part of a network that is compiled, sharded or checkpointed by itself has a
word of its wrapper in the names: `layer1.0._orig_mod.conv1.weight`. Words that
precede all names of a network are found by `prefixes.locate`.

A network whose parts are private has underscores before its names:
`_blocks.0._depthwise_conv.weight`.
"""

from collections.abc import Collection, Mapping

import numpy as np

# torch.compile, FSDP, activation checkpointing, DataParallel.
_WRAPPERS = frozenset(
  (
    '_orig_mod',
    '_fsdp_wrapped_module',
    '_checkpoint_wrapped_module',
    'module',
  )
)


def without_wrappers(
  source: Mapping[str, np.ndarray], parts: Collection[str]
) -> Mapping[str, np.ndarray]:
  """Returns the tensors by names without the words of wrappers.

  If two tensors would get the same name, all keep their names.

  Args:
    source: tensors by their names in the file.
    parts: the network's own parts, such as 'layer1'. Words before the first of
      these stay.
  """
  names = {name: _plain_name(name, parts) for name in source}
  if len(set(names.values())) < len(names):
    return source
  return {names[name]: value for name, value in source.items()}


def _plain_name(name: str, parts: Collection[str]) -> str:
  if not any(word in name for word in _WRAPPERS):
    return name
  words = name.split('.')
  first = next((i for i, word in enumerate(words) if word in parts), len(words))
  inner = (word for word in words[first:] if word not in _WRAPPERS)
  return '.'.join([*words[:first], *inner])


def without_underscores(
  source: Mapping[str, np.ndarray], words: Collection[str]
) -> Mapping[str, np.ndarray]:
  """Returns the tensors by names without the underscores of private parts.

  If two tensors would get the same name, all keep their names.

  Args:
    source: tensors by their names in the file.
    words: the words of the network's names. Of other words in the file, such as
      `_fc`, the underscore stays.
  """
  names = {
    name: '.'.join(
      word[1:] if word.startswith('_') and word[1:] in words else word
      for word in name.split('.')
    )
    for name in source
  }
  if len(set(names.values())) < len(names):
    return source
  return {names[name]: value for name, value in source.items()}
