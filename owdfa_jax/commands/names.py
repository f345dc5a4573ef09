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
from owdfa_jax.training.run_data import read_run_data, recorded_num_outputs

# Images of the heap that are named for each cluster.
_EXAMPLES = 3
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
  for line in [*shared_lines(names), *examples_of_heap(run)]:
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
    if run.heap is not None:
      print('`owdfa discover` with the same options writes those of the heap')
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
  seen = np.unique(run.verdicts.output).tolist()
  if run.heap is not None:
    seen += np.unique(run.heap.output).tolist()
  names = {k: '' for k in sorted({*seen}) if k >= run.num_known} | dict(before)
  if not names:
    raise UserError(
      f'nothing to name: {run.workdir} has no found cluster, all images got '
      'the name of a known class'
    )
  known = _known(run)
  num_outputs = recorded_num_outputs(epath.Path(run.workdir))
  check_names(changes, known, num_outputs, '')
  missing = [k for k in changes if k not in names]
  if missing and num_outputs is None:
    raise UserError(
      f'no such cluster: novel-{missing[0]} got no image; use one of '
      f'{", ".join(f"novel-{k}" for k in sorted(names))}, or write it into '
      f'{run.workdir / NAMES_FILE}'
    )
  names |= changes
  check_names(names, known, num_outputs, f'{run.workdir / NAMES_FILE}: names.')
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
  verdicts, heap = run.verdicts, run.heap
  counted = 'images' if run.figures is run.report else 'groups'
  rows = []
  for output, name in names.items():
    members = np.flatnonzero(verdicts.output == output)
    size = len(members), 0
    *cells, example = _size_cells(members, verdicts.confidence, verdicts.image)
    if heap is None:
      cells += _main_source(run, members)
    else:
      places = np.flatnonzero(heap.output == output)
      size = len(places), len(members)
      *cells, of_heap = _size_cells(places, heap.confidence, heap.image)
      cells.append(str(len(members)))
      # An image of the heap is a file that the user can look at.
      example = of_heap or example
    rows.append((size, [f'novel-{output}', name, *cells, example]))
  rows.sort(key=lambda row: row[0], reverse=True)
  header = [counted, '%', 'confidence', 'most are', '%']
  if heap is not None:
    header = ['in the heap', '%', 'confidence', f'test {counted}']
  return text_tables.aligned(
    ['cluster', 'name', *header, 'most typical'],
    [cells for _, cells in rows],
    'llrrrlrl' if heap is None else 'llrrrrl',
  )


def _main_source(run: RunFiles, members: np.ndarray) -> list[str]:
  """Returns the most frequent true source of test images, and its share.

  Args:
    run: the files of the run.
    members: places of the images.
  """
  source = np.array(run.verdicts.source)[members]
  found, count = np.unique(source[source != ''], return_counts=True)
  if not len(count):
    return ['', '']
  return [str(found[count.argmax()]), percent(count.max() / count.sum())]


def _size_cells(
  members: np.ndarray, confidence: np.ndarray, image: Sequence[str]
) -> list[str]:
  """Returns count, share, mean confidence and most typical image of a cluster.

  Args:
    members: its places among the images.
    confidence: float [N].
    image: the paths of the N images.
  """
  sure = confidence[members]
  if not len(sure):
    return ['0', '', '', '']
  return [
    str(len(sure)),
    percent(len(sure) / len(confidence)),
    percent(sure.mean()),
    image[members[sure.argmax()]],
  ]


def examples_of_heap(run: RunFiles) -> list[str]:
  """Returns examples of each found cluster of the heap, a line each.

  The first ones are the most typical. A last line has the images without a
  cluster.

  Args:
    run: the files of the run.
  """
  heap = run.heap
  if heap is None:
    return []
  lines = []
  for output in np.unique(heap.output).tolist():
    if output < run.num_known:
      continue
    places = np.flatnonzero(heap.output == output)
    order = places[np.argsort(-heap.confidence[places], kind='stable')]
    shown = ', '.join(heap.image[place] for place in order[:_EXAMPLES])
    lines.append(f'novel-{output}: {escape.terminal(shown)}')
  if lines:
    lines = ['', 'most typical of the heap:', *lines, '']
  known = int((heap.output < run.num_known).sum())
  return [
    *lines,
    f'of the heap besides: {known} of known sources, {heap.num_none} of none '
    'of these',
  ]


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
