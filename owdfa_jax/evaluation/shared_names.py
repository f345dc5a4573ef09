"""Outputs that share a name: they are one source, and probabilities add up.

The figures of a report stay those of the outputs, whatever they are called.
"""

from collections.abc import Sequence

import numpy as np


def first_outputs(names: Sequence[str]) -> np.ndarray:
  """Returns for each output the first output of the same name, int32 [K].

  Args:
    names: the name of each output.
  """
  first = {name: k for k, name in reversed([*enumerate(names)])}
  return np.array([first[name] for name in names], np.int32)


def have_shared_names(names: Sequence[str]) -> bool:
  """Returns whether two outputs have one name.

  Args:
    names: the name of each output.
  """
  return len({*names}) < len(names)


def add_up(probability: np.ndarray, first: np.ndarray) -> np.ndarray:
  """Returns the probability of each source, at the place of its first output.

  Args:
    probability: float [..., K], of each output.
    first: int [K], what `first_outputs` returns.

  Returns:
    float [..., K]; 0 at the other outputs of a source.
  """
  total = probability.copy()
  for output in np.flatnonzero(first != np.arange(len(first))):
    total[..., first[output]] += total[..., output]
    total[..., output] = 0
  return total
