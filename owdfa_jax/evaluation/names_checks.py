"""Checks of the names that a user gives to found clusters and their parts."""

from collections.abc import Iterator, Mapping, Sequence

from input_pipeline.errors import UserError
from input_pipeline.escape import quoted
from input_pipeline.name_rule import look_of, why_taken

_LONGEST = 100


def entries(
  names: Mapping[int, str], parts: Mapping[int, Sequence[str]]
) -> Iterator[tuple[str, int, str]]:
  """Yields each cluster and each part of one: its label, output and name.

  Args:
    names: the name of each cluster by its output.
    parts: the names of the parts of each cluster that is split.
  """
  for output in sorted({*names, *parts}):
    if output in names:
      yield f'novel-{output}', output, names[output]
    for part, name in enumerate(parts.get(output, ()), 1):
      yield part_label(output, part), output, name


def part_label(output: int, part: int) -> str:
  """Returns what a part of a cluster is called without a name.

  Args:
    output: of the cluster.
    part: its number, from 1.
  """
  return f'novel-{output}.{part}'


def names_of_parts(output: int, names: Sequence[str]) -> tuple[str, ...]:
  """Returns what the parts of a cluster are called.

  Args:
    output: of the cluster.
    names: those that the user gave, '' for none.
  """
  return tuple(
    name or part_label(output, part) for part, name in enumerate(names, 1)
  )


def check_names(
  names: Mapping[int, str],
  parts: Mapping[int, Sequence[str]],
  known: Sequence[str],
  num_outputs: int | None,
  where: str,
) -> None:
  """Raises `UserError` if an output or a name is wrong.

  Args:
    names: the name of each cluster by its output, '' for none.
    parts: the names of the parts of each cluster that is split.
    known: the names of the known classes.
    num_outputs: K; None if it is not known.
    where: begins the place of a mistake, before the cluster.
  """
  of_known = {look_of(name): name for name in known}
  of_found: dict[str, tuple[str, str]] = {}
  for label, output, name in entries(names, parts):
    place = f'{where}{label}'
    if output < len(known):
      raise UserError(
        f'a known class: {place} ({quoted(known[output])}); only found '
        f'clusters can be named, from novel-{len(known)} on'
      )
    if num_outputs is not None and output >= num_outputs:
      raise UserError(
        f'no such cluster: {place} (the last one is novel-{num_outputs - 1}); '
        'leave it out'
      )
    if not name:
      continue
    _check_name(name, place)
    look = look_of(name)
    if look in of_known:
      raise UserError(
        f'the name of a known class: {place}={quoted(name)} '
        f'({quoted(of_known[look])} is known); add a word, such as '
        f'{quoted(name + " (found)")}'
      )
    other, written = of_found.setdefault(look, (label, name))
    if written != name:
      raise UserError(
        f'names that look alike: {place}={quoted(name)} and {other}='
        f'{quoted(written)}; write them alike to merge the clusters, or make '
        'them differ more'
      )


def _check_name(name: str, place: str) -> None:
  why = why_taken(name)
  if name != name.strip():
    why = 'a blank at an end'
  elif not name.isprintable():
    why = 'a character that does not show'
  elif len(name) > _LONGEST:
    why = f'{len(name)} characters, at most {_LONGEST}'
  if why:
    raise UserError(
      f'no name for a source: {place}={quoted(name)} ({why}); give another name'
    )
