"""Answers by the names that a user gave: clusters of one name are together."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from owdfa_jax.page.verdicts import Verdicts


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


def name_verdicts(
  verdicts: Verdicts,
  said: Sequence[str] | None,
  names: Mapping[int, str],
) -> Verdicts:
  """Returns verdicts by name: each output is the first one of its name.

  Args:
    verdicts: with the names of outputs that no user gave.
    said: the name of each line, where the table was written with these names;
      None takes that of its output.
    names: what the user gave, by output.
  """
  of_output = {**verdicts.name, **names}
  first = first_of_names(of_output)
  if said is None:
    output = [first[k] for k in verdicts.output.tolist()]
  else:
    of_name = {name: first[k] for k, name in of_output.items()}
    output = [of_name[name] for name in said]
  return dataclasses.replace(verdicts, output=np.array(output), name=of_output)


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
