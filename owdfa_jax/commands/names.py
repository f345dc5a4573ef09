"""Shows the found clusters of a run, and gives them names.

  owdfa names RUN
  owdfa names RUN 8=StyleGAN2 9=StyleGAN2 10="my camera"

The names are in RUN/names.json, which may be edited; of a run in stages, in the
folder of its last stage. Clusters of one name are one source in every table and
answer. `8=` takes the name away. Known classes keep their names.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from input_pipeline import escape, text_tables
from input_pipeline.argument_parser import add_run, described_parser
from input_pipeline.errors import UsageError, UserError, one_line_errors
from input_pipeline.escape import quoted
from input_pipeline.text_tables import percent
from owdfa_jax.evaluation.names_file import (
  NAMES_FILE,
  NamesFile,
  check_names,
  clusters_of,
  read_names,
  write_names,
)
from owdfa_jax.evaluation.shared_names import clusters_of_name
from owdfa_jax.page.report_command import last_stage
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.training.run_data import read_run_data

_CHANGE = re.compile(r'(?:novel-)?([0-9]{1,7})=(.*)', re.DOTALL)


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Prints the found clusters of an evaluated run; writes its names file.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, for the help.
  """
  parser = described_parser(prog, __doc__)
  add_run(parser, 'an evaluated run')
  parser.add_argument(
    'names',
    nargs='*',
    metavar='CLUSTER=NAME',
    help='a name for a found cluster, given by its number',
  )
  arguments = parser.parse_args(argv)
  changes = parse_changes(arguments.names)
  run = last_stage(arguments.run)
  path = run.workdir / NAMES_FILE
  before = read_names(run.workdir)
  names = changed_names(run, {} if before is None else before.names, changes)
  print(cluster_table(run, names))
  for line in shared_lines(names):
    print(line)
  if before is None or changes:
    step = int(run.report['checkpoint_step'])
    by = run.report.get('classified_by', 'head')
    clusters = clusters_of(run.workdir, step, by)
    try:
      write_names(run.workdir, NamesFile(clusters, names))
    except UserError as error:
      if changes:
        raise
      # Nothing was to be changed, so a run that cannot be written is shown.
      print(f'no file for names: {error}')
      return
  shown = escape.terminal(str(arguments.run))
  if changes:
    print(
      f'written: {escape.terminal(str(path))}; `owdfa report {shown}` draws '
      f'the page with the names, `owdfa eval --workdir={shown}` writes the '
      'tables of test images; answers for new images have them from now on'
    )
  elif before is None:
    print(
      f'written: {escape.terminal(str(path))}, without names; give them there, '
      f'or by `owdfa names {shown} {min(names)}=NAME`'
    )


def parse_changes(words: Sequence[str]) -> dict[int, str]:
  """Returns the names that a command line gives, by output.

  Args:
    words: each as `8=StyleGAN2` or `novel-8=StyleGAN2`.

  Raises:
    UsageError: a word is something else, or names a cluster twice.
  """
  changes: dict[int, str] = {}
  for word in words:
    match = _CHANGE.fullmatch(word)
    if match is None:
      raise UsageError(
        f'not a name for a cluster: {quoted(word)}; write CLUSTER=NAME, such '
        'as 8=StyleGAN2'
      )
    output = int(match[1])
    if changes.setdefault(output, match[2]) != match[2]:
      raise UsageError(
        f'two names for a cluster: novel-{output}={quoted(changes[output])} '
        f'and {quoted(match[2])}; give one'
      )
  return changes


def changed_names(
  run: RunFiles, before: Mapping[int, str], changes: Mapping[int, str]
) -> dict[int, str]:
  """Returns the names of all found clusters after a change, checked.

  Args:
    run: the files of the run.
    before: the names so far, by output.
    changes: names that replace them; '' takes a name away.

  Raises:
    UserError: the run has no found cluster, or not one that is named, or a name
      cannot be given.
  """
  if run.report.get('checkpoint_step') is None:
    raise UserError(
      f'no network: {run.workdir} is the run of a spectrum, which keeps no '
      'clusters; name those of the run of a method'
    )
  outputs = np.unique(run.verdicts.output).tolist()
  names = {k: '' for k in outputs if k >= run.num_known} | dict(before)
  if not names:
    raise UserError(
      f'nothing to name: {run.workdir} has no found cluster, all test images '
      'got the name of a known class'
    )
  known = _known(run)
  check_names(changes, known, None, '')
  if missing := [k for k in changes if k not in names]:
    raise UserError(
      f'no such cluster: novel-{missing[0]} got no test image; use one of '
      f'{", ".join(f"novel-{k}" for k in sorted(names))}, or write it into '
      f'{run.workdir / NAMES_FILE}'
    )
  names |= changes
  check_names(names, known, None, '')
  return names


def _known(run: RunFiles) -> list[str]:
  """Returns the names of the known classes."""
  path = run.config.get('data', {}).get('path', '')
  dataset = read_run_data(epath.Path(run.workdir), str(path))
  if dataset is not None:
    return [entry.name for entry in dataset.classes[: dataset.num_known]]
  # Of a run by an earlier version, those that test images got.
  return [run.verdicts.name.get(k, '') for k in range(run.num_known)]


def cluster_table(run: RunFiles, names: Mapping[int, str]) -> str:
  """Returns the found clusters for a terminal, the largest first.

  Args:
    run: the files of the run.
    names: their names by output, '' for none.
  """
  verdicts = run.verdicts
  source = np.array(verdicts.source)
  rows = []
  for output, name in names.items():
    members = np.flatnonzero(verdicts.output == output)
    of_source, count = np.unique(
      source[members][source[members] != ''], return_counts=True
    )
    most = f'{of_source[count.argmax()]}' if len(count) else ''
    share = percent(count.max() / count.sum()) if len(count) else ''
    sure = verdicts.confidence[members]
    rows.append(
      (
        len(members),
        f'novel-{output}',
        name,
        str(len(members)),
        percent(len(members) / len(verdicts)),
        percent(sure.mean()) if len(sure) else '',
        most,
        share,
        verdicts.image[members[sure.argmax()]] if len(sure) else '',
      )
    )
  rows.sort(key=lambda row: -row[0])
  counted = 'images' if run.figures is run.report else 'groups'
  header = (
    'cluster',
    'name',
    counted,
    '%',
    'confidence',
    'most are',
    '%',
    'most typical',
  )
  return text_tables.aligned(header, [row[1:] for row in rows], 'llrrrlrl')


def shared_lines(names: Mapping[int, str]) -> list[str]:
  """Returns a line for each name that several clusters have.

  Args:
    names: by output, '' for none.
  """
  found = []
  for name in dict.fromkeys(filter(None, names.values())):
    clusters = clusters_of_name(name, names)
    if len(clusters) > 1:
      found.append(
        f'one source: {escape.terminal(name)}, {", ".join(clusters)}'
      )
  return found


if __name__ == '__main__':
  main()
