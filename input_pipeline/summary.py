"""The summary that packing prints at its end."""

from input_pipeline.escape import distinct, message, terminal
from input_pipeline.original_sizes import enlarged_lines, shrunk_lines
from input_pipeline.packed_format import SPLITS
from input_pipeline.text_tables import aligned

_COUNTS = ('labelled', 'unlabelled', 'test', 'skipped')
_MOST_PATHS = 3  # shown of a group of duplicates


def summary(description: dict) -> str:
  """Returns a table of the counts by class, and lines on what to check.

  Args:
    description: the description of the packed directory.
  """
  unknown = description['truth_unknown']
  columns = [*_COUNTS, *(['no_face'] if 'no_face' in unknown else [])]
  names = distinct([entry['name'] for entry in description['classes']])
  entries = [
    (name, 'known' if entry['known'] else 'novel', entry['counts'])
    for entry, name in zip(description['classes'], names, strict=True)
  ]
  if any(unknown.values()):
    entries.append(('(truth unknown)', '', unknown))
  total = {c: sum(counts[c] for *_, counts in entries) for c in columns}
  entries.append(('total', '', total))
  rows = [
    (name, role, *(f'{counts[c]:,}' for c in columns))
    for name, role, counts in entries
  ]
  table = aligned(('class', 'role', *columns), rows, 'll' + 'r' * len(columns))
  lines = [table, *map(_skipped, description['skipped'])]
  if total.get('no_face'):
    lines.append(f'no face was found in {total["no_face"]:,}: packed whole')
  lines += group_lines(description)
  lines += [*shrunk_lines(description), *enlarged_lines(description)]
  for kind, found in description['duplicates'].items():
    if found['groups']:
      where = kind.replace('_', ' ')
      lines.append(f'the same image {where}: {found["groups"]:,}, such as')
      for ids in found['examples']:
        lines.append('  ' + ' = '.join(map(terminal, ids[:_MOST_PATHS])))
  return '\n'.join(lines)


def group_lines(description: dict) -> list[str]:
  """Returns a line on tiles, and a line on groups, where there are any.

  Args:
    description: the description of the packed directory.
  """
  lines = []
  # Directories packed before these existed lack them.
  arguments = description.get('made', {}).get('arguments', {})
  if tiles := arguments.get('tiles', 0):
    size = description['image_size']
    lines.append(
      f'up to {tiles} tiles of {size} x {size} pixels of each image, at native '
      'resolution; the counts are of tiles, those of skipped are of images'
    )
  splits = description.get('splits', {})
  counts = [splits.get(split, {}).get('groups') for split in SPLITS]
  if all(counts):
    train, test = counts
    lines.append(
      f'{train:,} groups for training and {test:,} for the test: what comes '
      'from one image or video gets one verdict'
    )
  return lines


def _skipped(entry: dict) -> str:
  return f'skipped: {message(entry["why"])}'
