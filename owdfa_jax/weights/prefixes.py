"""Finds a network among the tensors of a file, whatever precedes its names.

Wrappers and training scripts put words before a network's names: `module.`,
`_orig_mod.`, `encoder_q.`, `state_dict_ema.`. No list of them would be
complete. The network is where most of its names are found, and of such places
where most of its shapes fit.
"""

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping

import numpy as np

from input_pipeline.errors import UserError

Shape = tuple[int, ...]

# Of several copies of a network, the first whose prefix has one of these words
# is taken. Averaged weights come first, since their authors evaluate those;
# copies that only serve the training come last.
# `NEITHER` stands for prefixes without any of these words.
NEITHER = ''
PREFERENCE = (
  'ema',
  'teacher',
  'encoder_q',
  'online',
  NEITHER,
  'student',
  'encoder_k',
  'momentum',
  'target',
)
# The children of a ResNet in a `torch.nn.Sequential` have numbers for names.
_NUMBERED = {
  'conv1': '0',
  'bn1': '1',
  'layer1': '4',
  'layer2': '5',
  'layer3': '6',
  'layer4': '7',
}


@dataclasses.dataclass(frozen=True)
class NetworkPlace:
  """Where a file has a network.

  Attributes:
    prefix: what precedes the network's names in the file.
    names: for each name of the network, relative to itself, its name after the
      prefix.
    others: prefixes of further copies that fit as well.
  """

  prefix: str
  names: Mapping[str, str]
  others: tuple[str, ...] = ()

  def find(self, name: str) -> str:
    """Returns the name in the file of a tensor of the network."""
    return self.prefix + self.names[name]


def locate(
  source: Mapping[str, np.ndarray], wanted: Mapping[str, Shape], where: str
) -> NetworkPlace | None:
  """Finds the network whose names and shapes fit best.

  Args:
    source: tensors by their names in the file.
    wanted: the network's shapes by its own names.
    where: the name of the file in messages.

  Returns:
    The place of the network, or None if the file has none of its names.

  Raises:
    UserError: several copies fit equally and have the same rank in
      `PREFERENCE`.
  """
  shapes = {name: value.shape for name, value in source.items()}
  numbered = _numbered_names(wanted)
  fits = {
    True: count_fits(shapes, {numbered[k]: v for k, v in wanted.items()}),
    False: count_fits(shapes, wanted),
  }
  most = {key: max(each.values(), default=(0, 0)) for key, each in fits.items()}
  # Many networks have numbers as names, so most of them must fit.
  by_number = most[True] > most[False] and 2 * most[True][0] > len(wanted)
  best = most[by_number]
  prefixes = sorted(p for p, count in fits[by_number].items() if count == best)
  if not prefixes:
    return None
  if 2 * best[0] > len(wanted):
    prefix = choose_prefix(prefixes, where)
  else:
    prefix = prefixes[0]  # another network, which has few of the names
  names = numbered if by_number else {name: name for name in wanted}
  return NetworkPlace(prefix, names, tuple(sorted({*prefixes} - {prefix})))


def count_fits(
  shapes: Mapping[str, Shape], wanted: Mapping[str, Shape]
) -> dict[str, tuple[int, int]]:
  """Counts for each prefix the names and shapes that fit with it.

  Args:
    shapes: shapes by the file's names.
    wanted: shapes by the network's names.

  Returns:
    For each prefix under which the file has a name of the network: the number
    of these names, and of those whose tensor has the right shape too.
  """
  # A name of a million dots must not become a million parts.
  depth = max((name.count('.') + 1 for name in wanted), default=0)
  counts: collections.Counter[tuple[str, bool]] = collections.Counter()
  for name, shape in shapes.items():
    parts = name.rsplit('.', depth)
    for start in range(max(0, len(parts) - depth), len(parts)):
      tail = '.'.join(parts[start:])
      if tail in wanted:
        prefix = name.removesuffix(tail)
        counts[prefix, True] += shape == wanted[tail]
        counts[prefix, False] += 1
  prefixes = {prefix for prefix, _ in counts}
  return {p: (counts[p, False], counts[p, True]) for p in prefixes}


def choose_prefix(prefixes: Iterable[str], where: str) -> str:
  """Returns the one of several prefixes whose network is taken.

  Args:
    prefixes: prefixes of copies that fit equally.
    where: the name of the file in messages.

  Raises:
    UserError: see `locate`.
  """
  first, *others = sorted(prefixes, key=lambda name: (_rank(name), name))
  if others and _rank(others[0]) == _rank(first):
    raise UserError(
      f'the file contains two networks: {where} has {first or "names"}* and '
      f'{others[0]}*; save the state dict of one of them'
    )
  return first


def ancestors(prefix: str) -> list[str]:
  """Returns a prefix and its beginnings: 'a.b.', 'a.' and '' for 'a.b.'."""
  parts = prefix.split('.')[:-1]
  return [
    ''.join(f'{part}.' for part in parts[:count])
    for count in range(len(parts), -1, -1)
  ]


def _rank(prefix: str) -> int:
  """Returns the position of a prefix in `PREFERENCE`."""
  for rank, word in enumerate(PREFERENCE):
    if word and re.search(f'(?<![a-z]){word}(?![a-z])', prefix.lower()):
      return rank
  return PREFERENCE.index(NEITHER)


def _numbered_names(wanted: Iterable[str]) -> dict[str, str]:
  """Returns the network's names as `torch.nn.Sequential` gives them."""
  names = {}
  for name in wanted:
    head, dot, rest = name.partition('.')
    names[name] = _NUMBERED.get(head, head) + dot + rest
  return names
