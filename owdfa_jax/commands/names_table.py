"""What `owdfa names` prints of the found clusters of a run."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline import escape, text_tables
from input_pipeline.text_tables import percent
from owdfa_jax.evaluation.names_checks import entries, part_label
from owdfa_jax.evaluation.shared_names import clusters_of_name
from owdfa_jax.page.run_files import RunFiles

# Images of the heap, or of a part, that are named for each cluster.
_EXAMPLES = 3


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
  lines.append(
    f'of the heap besides: {known} of known sources, {heap.num_none} of none '
    'of these'
  )
  if heap.changed:
    lines.append(
      f'warning: changed since the table of the heap was made: {heap.changed}; '
      '`owdfa discover` with the same options makes it anew'
    )
  return lines


def shared_lines(
  names: Mapping[int, str], parts: Mapping[int, Sequence[str]]
) -> list[str]:
  """Returns lines on each name that several clusters or parts have.

  Args:
    names: by output, '' for none.
    parts: the names of the parts of the split clusters, by output.
  """
  whole = {k: name for k, name in names.items() if k not in parts}
  answered = [(label, name) for label, _, name in entries(whole, parts)]
  found = []
  for name in dict.fromkeys([*names.values(), *_of(parts)]):
    if not name:
      continue
    sharing = [label for label, given in answered if given == name]
    if len(sharing) > 1:
      found.append(f'{_have(sharing, name)}, so they count as one source')
    clusters = clusters_of_name(name, names)
    split = [f'novel-{k}' for k in sorted(parts) if names.get(k) == name]
    if len(clusters) > 1 and split:
      found.append(
        f'{_have(clusters, name)}: one source in the tables of test images '
        f'alone; new images get the parts of {" and ".join(split)}'
      )
  return found


def _of(parts: Mapping[int, Sequence[str]]) -> list[str]:
  return [name for output in sorted(parts) for name in parts[output]]


def _have(labels: Sequence[str], name: str) -> str:
  joined = f'{", ".join(labels[:-1])} and {labels[-1]}'
  return f'{joined} have the name {escape.terminal(name)}'


def lines_of_parts(
  run: RunFiles, parts: Mapping[int, Sequence[str]]
) -> list[str]:
  """Returns a line for each part of the split clusters.

  Args:
    run: the files of the run.
    parts: the names of the parts by output, '' for none.

  Raises:
    UserError: the run carries too few training images of a cluster.
  """
  if sys.stderr.isatty():
    print(
      'computing the parts of split clusters from the training images that the '
      'run carries; this takes seconds',
      file=sys.stderr,
      flush=True,
    )
  # Imports JAX, which takes seconds.
  from owdfa_jax.evaluation import cluster_parts
  from owdfa_jax.evaluation.sources_file import read_sample

  sample = read_sample(run.workdir, int(run.report['checkpoint_step']))
  found = cluster_parts.parts_of_names(parts, sample, run.workdir)
  assert found is not None and sample is not None
  lines = ['', 'parts, of the training images that the run carries:']
  for output, centres in found.centres.items():
    sizes = cluster_parts.part_of_sample(sample, output, centres)
    for part, (size, images) in enumerate(sizes, 1):
      label = part_label(output, part)
      name = parts[output][part - 1]
      lines.append(
        escape.terminal(
          f'{label}{f", {name}" if name else ""}: '
          f'{text_tables.counted(size, "image")}, such as '
          f'{", ".join(images[:_EXAMPLES])}'
        )
      )
  return [*lines, '']
