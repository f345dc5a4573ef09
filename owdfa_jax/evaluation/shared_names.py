"""Outputs that share a name: they are one source, and probabilities add up.

The figures of a report stay those of the outputs, whatever they are called.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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


def output_names_of_table(
  output: np.ndarray,
  said: Sequence[str],
  given: Mapping[str, str],
  entries: Sequence[Mapping[str, Any]],
) -> dict[int, str]:
  """Returns the name of each output that occurs, without those of a user.

  Args:
    output: int [N], of the lines of a table.
    said: the column `source` of the lines.
    given: the names that the evaluation used, by `novel-N`.
    entries: `per_class` of the report.
  """
  names = {e['label']: e['name'] for e in entries if e['known']}
  found: dict[int, str] = {}
  for k, name in zip(output.tolist(), said, strict=True):
    if f'novel-{k}' in given:
      found[k] = f'novel-{k}'
    elif name not in given.values():
      found[k] = name
    else:
      # The line is of clusters whose probabilities were added up.
      found.setdefault(k, names.get(k, f'output {k}'))
  return found


def first_of_names(names: Mapping[int, str]) -> dict[int, int]:
  """Returns for each output the first output of the same name.

  Args:
    names: by output.
  """
  first: dict[str, int] = {}
  return {k: first.setdefault(names[k], k) for k in sorted(names)}


def clusters_of_name(name: str, names: Mapping[int, str]) -> list[str]:
  """Returns the clusters that a user gave a name to, such as `novel-3`.

  Args:
    name: a name.
    names: what the user gave, by output.
  """
  return [f'novel-{k}' for k in sorted(names) if names[k] == name]


def called_outputs(
  output: np.ndarray, said: Sequence[str] | None, names: Mapping[int, str]
) -> np.ndarray:
  """Returns the first output of the name that each line of a table has.

  Args:
    output: int [N], of the lines.
    said: the column `source`, where it was written with these names; None
      takes the name of each output.
    names: of each output, by its number.

  Returns:
    int [N].

  Raises:
    KeyError: a line has a name of no output.
  """
  first = first_of_names(names)
  if said is None:
    return np.array([first[k] for k in output.tolist()])
  of_name = {name: first[k] for k, name in names.items()}
  return np.array([of_name[name] for name in said])


def with_first_outputs(
  entries: Sequence[Mapping[str, Any]], names: Mapping[int, str]
) -> list[dict[str, Any]]:
  """Returns entries of `per_class` that name the first output of each name.

  Args:
    entries: of a report.
    names: of each output, by its number.
  """
  first = first_of_names(names)

  def one(output: int | None) -> int | None:
    return output if output is None else first.get(output, output)

  return [
    {**x, 'predicted': one(x['predicted']), 'matched': one(x['matched'])}
    for x in entries
  ]
