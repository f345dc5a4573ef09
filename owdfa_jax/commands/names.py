"""Shows the found clusters of a run, and gives them names.

  owdfa names RUN
  owdfa names RUN 8=StyleGAN2 9=StyleGAN2 10="my camera"
  owdfa names RUN --split 8=2
  owdfa names RUN 8.1=StyleGAN2 8.2=StyleGAN3

The names are in RUN/names.json, which may be edited; of a run in stages, in the
folder of its last stage. Clusters of one name are one source in every table and
answer. `8=` takes the name away. Known classes keep their names. `--split 8=2`
splits a cluster into two parts for answers about new images; `--split 8=1`
joins them.
"""

import argparse
import contextlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from etils import epath

from input_pipeline import escape
from input_pipeline.argument_parser import add_run, described_parser
from input_pipeline.errors import UsageError, UserError, one_line_errors
from input_pipeline.escape import quoted
from input_pipeline.number_ranges import whole
from owdfa_jax.commands.names_table import (
  cluster_table,
  examples_of_heap,
  lines_of_parts,
  shared_lines,
)
from owdfa_jax.evaluation.names_checks import check_names
from owdfa_jax.evaluation.names_file import (
  NAMES_FILE,
  NamesFile,
  clusters_of,
  read_names,
  write_names,
)
from owdfa_jax.page.report_command import last_stage
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.training.run_data import read_run_data, recorded_num_outputs

_CHANGE = re.compile(
  r'(?:novel-)?([0-9]{1,7})(?:\.([1-9][0-9]?))?=(.*)', re.DOTALL
)
_SPLIT = re.compile(r'(?:novel-)?([0-9]{1,7})=([0-9]{1,20})')
_PARTS = whole(1, 99)


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Prints the found clusters of an evaluated run; writes its names file.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, for the help.
  """
  arguments = _parse(argv, prog)
  changes = parse_changes(arguments.names)
  splits = parse_splits(arguments.split)
  run = last_stage(arguments.run)
  before = read_names(run.workdir)
  found = changed_names(run, before, changes, splits)
  parts = lines_of_parts(run, found.parts) if found.parts else []
  changed = bool(changes or splits)
  problem = ''
  # Before anything is printed: whoever reads it may have ended.
  if before is None or changed:
    try:
      write_names(run.workdir, found)
    except UserError as error:
      if changed:
        raise
      # Nothing was to be changed, so a run that cannot be written is shown.
      problem = f'no file for names: {error}'
  print(cluster_table(run, found.names))
  shared = shared_lines(found.names, found.parts)
  for line in [*parts, *shared, *examples_of_heap(run)]:
    print(line)
  shown = escape.terminal(shlex.quote(str(arguments.run)))
  path = run.workdir / NAMES_FILE
  if problem:
    print(problem)
  elif changed:
    option = _classifier_option(run)
    given = f', with{option}' if option else ''
    print(
      f'written: {escape.terminal(str(path))}; `owdfa report {shown}` draws '
      f'the page with the names, `owdfa eval --workdir={shown}{option}` writes '
      'the tables of test images; answers for new images have them from now on'
      f'{given}'
    )
    if run.heap is not None:
      print('`owdfa discover` with the same options writes those of the heap')
  elif before is None:
    print(
      f'a template was written: {escape.terminal(str(path))}, without names; '
      f'fill it in, or give them by `owdfa names {shown} '
      f'{min(found.names)}=NAME`'
    )


def _classifier_option(run: RunFiles) -> str:
  """Returns the option that asks for the named clusters, '' for none.

  They are those of the report, which another classifier than that of the config
  may have made; every other command takes that of the config.
  """
  by = run.report.get('classified_by', 'head')
  configured = run.config.get('eval', {}).get('classify_by', by)
  return '' if by == configured else f' --config.eval.classify_by={by}'


def _parse(argv: Sequence[str] | None, prog: str | None) -> argparse.Namespace:
  usage = '%(prog)s RUN [CLUSTER=NAME ...] [options]'
  parser = described_parser(prog, __doc__, usage=usage)
  add_run(parser, 'an evaluated run')
  parser.add_argument(
    'names',
    nargs='*',
    default=[],
    metavar='CLUSTER=NAME',
    help='a name for a found cluster, given by its number',
  )
  parser.add_argument(
    '--split',
    action='append',
    default=[],
    metavar='CLUSTER=PARTS',
    help='split a found cluster into so many parts; 1 joins it again',
  )
  # A name may come after an option.
  return parser.parse_intermixed_args(argv)


def parse_changes(words: Sequence[str]) -> dict[tuple[int, int], str]:
  """Returns the names that a command line gives.

  Args:
    words: each as `8=StyleGAN2` or `novel-8=StyleGAN2`, or `8.1=StyleGAN2` for
      a part of a cluster.

  Returns:
    Names by output and part; part 0 is the whole cluster.

  Raises:
    UsageError: a word is something else, or names a cluster twice.
  """
  changes: dict[tuple[int, int], str] = {}
  for word in words:
    match = _CHANGE.fullmatch(word)
    if match is None:
      wrong = [quoted(x) for x in words if not _CHANGE.fullmatch(x)]
      raise UsageError(
        f'not a name for a cluster: {", ".join(wrong)}; write CLUSTER=NAME, '
        'such as 8=StyleGAN2'
      )
    place = int(match[1]), int(match[2] or 0)
    if changes.setdefault(place, match[3]) != match[3]:
      raise UsageError(
        f'two names for a cluster: {quoted(word.partition("=")[0])}='
        f'{quoted(changes[place])} and {quoted(match[3])}; give one'
      )
  return changes


def parse_splits(words: Sequence[str]) -> dict[int, int]:
  """Returns the number of parts by output, of words such as `8=2`.

  Raises:
    UsageError: a word is something else, or a number is too large.
  """
  splits: dict[int, int] = {}
  for word in words:
    match = _SPLIT.fullmatch(word)
    if match is None:
      raise UsageError(
        f'not a number of parts: --split {quoted(word)}; write CLUSTER=PARTS, '
        f'such as 8=2, PARTS {_PARTS}'
      )
    _PARTS.check(f'--split {match[1]}', int(match[2]))
    splits[int(match[1])] = int(match[2])
  return splits


def changed_names(
  run: RunFiles,
  before: NamesFile | None,
  changes: Mapping[tuple[int, int], str],
  splits: Mapping[int, int],
) -> NamesFile:
  """Returns the names of all found clusters after a change, checked.

  Args:
    run: the files of the run.
    before: the names so far.
    changes: names that replace them, by output and part; '' takes a name away.
    splits: numbers of parts by output, which replace those so far.

  Raises:
    UserError: the run has no found cluster, or not one that is named, or a name
      cannot be given.
  """
  step = run.report.get('checkpoint_step')
  if step is None:
    raise UserError(
      f'no network: {run.workdir} is the run of a spectrum, which keeps no '
      'clusters; name those of the run of a method'
    )
  names = _names_so_far(run, before)
  known = _known(run)
  num_outputs = recorded_num_outputs(epath.Path(run.workdir))
  whole = {output: name for (output, part), name in changes.items() if not part}
  touched = dict.fromkeys([*splits, *(output for output, _ in changes)], '')
  problems: list[str] = []
  parts = {} if before is None else dict(before.parts)
  for output in touched:
    with _noted(problems):
      one = {output: whole.get(output, '')}
      check_names(one, {}, known, num_outputs, '')
      if output not in names and num_outputs is None:
        raise UserError(
          f'no such cluster: novel-{output} got no image; use one of '
          f'{", ".join(f"novel-{k}" for k in sorted(names))}, or write it into '
          f'{run.workdir / NAMES_FILE}'
        )
      of_parts = {k: v for (o, k), v in changes.items() if o == output and k}
      parts[output] = _changed_parts(
        parts.get(output, ()), of_parts, splits.get(output), output
      )
  if problems:
    raise UserError('; also: '.join(problems))
  names |= whole
  parts = {output: each for output, each in parts.items() if each}
  where = f'{run.workdir / NAMES_FILE}: names.'
  check_names(names, parts, known, num_outputs, where)
  by = run.report.get('classified_by', 'head')
  return NamesFile(clusters_of(run.workdir, int(step), by), names, parts)


def _names_so_far(run: RunFiles, before: NamesFile | None) -> dict[int, str]:
  """Returns the name of each found cluster, '' for none."""
  seen = np.unique(run.verdicts.output).tolist()
  if run.heap is not None:
    seen += np.unique(run.heap.output).tolist()
  names = {k: '' for k in sorted({*seen}) if k >= run.num_known}
  names |= {} if before is None else before.names
  if not names:
    raise UserError(
      f'nothing to name: {run.workdir} has no found cluster, all images got '
      'the name of a known class'
    )
  return names


def _changed_parts(
  before: Sequence[str],
  given: Mapping[int, str],
  count: int | None,
  output: int,
) -> tuple[str, ...]:
  """Returns the names of the parts of a cluster after a change; () for none.

  Args:
    before: the names of its parts so far.
    given: names that replace them, by part; '' takes a name away.
    count: the number of parts that it is split into; None leaves it as it is.
    output: of the cluster, for errors.

  Raises:
    UserError: there is no such part, nothing to join, or parts that would
      vanish have names.
  """
  parts = [*before]
  # Names are taken away first, then clusters are split, then parts are named.
  for part, name in given.items():
    if not name and part <= len(parts):
      parts[part - 1] = ''
  if count == 1 and not before:
    raise UserError(
      f'nothing to join: novel-{output} is not split; leave --split {output}=1 '
      'out'
    )
  if count is not None and count != len(before):
    if named := [name for name in parts if name]:
      raise UserError(
        f'parts with names: novel-{output} ({quoted(named[0])}); take the '
        f'names away, such as {output}.1=, and split it anew'
      )
    parts = [''] * count if count > 1 else []
  new = {k: v for k, v in given.items() if v or k > len(before)}
  if missing := [part for part in sorted(new) if part > len(parts)]:
    raise UserError(
      f'no such part: {", ".join(f"novel-{output}.{k}" for k in missing)}; '
      f'`--split {output}={max(*missing, 2)}` splits the cluster'
    )
  for part, name in new.items():
    parts[part - 1] = name
  return tuple(parts)


@contextlib.contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
  """Appends the message of a `UserError` to a list, so that all are told."""
  try:
    yield
  except UserError as error:
    problems.append(str(error))


def _known(run: RunFiles) -> list[str]:
  """Returns the names of the known classes."""
  path = run.config.get('data', {}).get('path', '')
  dataset = read_run_data(epath.Path(run.workdir), str(path))
  if dataset is not None:
    return [entry.name for entry in dataset.classes[: dataset.num_known]]
  # Of a run by an earlier version, those that test images got.
  return [run.verdicts.name.get(k, '') for k in range(run.num_known)]


if __name__ == '__main__':
  main()
