"""Describes what `prepare` found, missed and chose, as lines for a terminal."""

import os
import pathlib
from collections.abc import Sequence

from input_pipeline import duplicates, escape
from input_pipeline.benchmarks.benchmark_class import BenchmarkClass
from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.picks import (
  Pick,
  ProtocolCsv,
  images_wanted,
  picks_by_class,
)
from input_pipeline.benchmarks.split_rules import count_leaks
from input_pipeline.image_folders import is_ignored
from input_pipeline.meta import LABELLED
from input_pipeline.text_tables import aligned

_MOST_NAMES = 10  # that a line names
_HEADER = (
  'id',
  'class',
  'role',
  'wanted',
  'chosen',
  'labelled',
  'unlabelled',
  'train',
  'test',
  'videos',
)


def nothing_line(datasets: pathlib.Path) -> str:
  """Returns a line for a folder without any image of the benchmark.

  Args:
    datasets: the folder. What it holds instead is named.
  """
  folders, files = [], []
  for entry in sorted(os.scandir(datasets), key=lambda entry: entry.name):
    if not is_ignored(entry.name):
      (folders if entry.is_dir() else files).append(entry.name)
  kind, names = ('folders', folders) if folders else ('files', files)
  shown = ', '.join(escape.distinct(names[:_MOST_NAMES]))
  if len(names) > _MOST_NAMES:
    shown += f' and {len(names) - _MOST_NAMES} more'
  there = f'it holds the {kind} {shown}' if names else 'it is empty'
  return (
    f'no image of the benchmark: --datasets {datasets} ({there}); name the '
    'folder that holds the datasets, in the layout that is printed'
  )


def layout_lines(listings: Sequence[Listing]) -> list[str]:
  """Returns each assumption about the datasets' folders and what was found."""
  lines = ['layout: what is looked for below --datasets, and what is there']
  places: dict[tuple[str, str, str], list[Listing]] = {}
  for listing in listings:
    key = listing.looked_for, listing.found, listing.guess
    places.setdefault(key, []).append(listing)
  for (looked_for, found, guess), of_place in places.items():
    counts = [f'{each.entry.name} {len(each)}' for each in of_place]
    lines += [
      f'  looked for  {looked_for}',
      f'  found       {found or "NOTHING"}',
      f'  candidates  {", ".join(counts)}',
    ]
    if guess:
      lines.append(f'  A GUESS     {guess}')
    lines += [
      f'  unreadable  {problem}'
      for each in of_place
      for problem in each.problems
    ]
    lines.append('')
  return lines


def class_table_lines(csv: ProtocolCsv, factor: float) -> list[str]:
  """Returns a table with a row per class, and what to know about the split.

  Args:
    csv: the chosen images.
    factor: multiplies the counts of the class table.
  """
  of_class = picks_by_class(csv.picks)
  rows = [
    _class_row(number, entry, of_class.get(entry, []), factor)
    for number, entry in enumerate(csv.classes)
  ]
  table = aligned(_HEADER, rows, 'rllrrrrrrr')
  lines = [csv.name, *(f'  {line}' for line in table.splitlines())]
  shared, total = count_leaks(csv.picks)
  lines.append(
    f'  {shared} of {total} test images are frames of a video that also has '
    'training images'
  )
  no_test = [
    entry.name
    for entry, picks in of_class.items()
    if not any(pick.split == 'test' for pick in picks)
  ]
  if no_test:
    lines.append(f'  classes without a test image: {", ".join(no_test)}')
  return lines


def _class_row(
  number: int, entry: BenchmarkClass, picks: Sequence[Pick], factor: float
) -> list[str]:
  labelled = sum(pick.tag == LABELLED for pick in picks)
  test = sum(pick.split == 'test' for pick in picks)
  videos = {pick.image.video for pick in picks} - {''}
  numbers = (
    images_wanted(entry, factor),
    len(picks),
    labelled,
    len(picks) - labelled,
    len(picks) - test,
    test,
    len(videos),
  )
  role = 'known' if entry.known else 'novel'
  return [str(number), entry.name, role, *map(str, numbers)]


def shortfalls(csv: ProtocolCsv, factor: float) -> list[str]:
  """Returns '<class>: n of m images' for each class with too few images."""
  of_class = picks_by_class(csv.picks)
  return [
    f'{entry.name}: {count} of {total} images'
    for entry in csv.classes
    if (count := len(of_class.get(entry, [])))
    < (total := images_wanted(entry, factor))
  ]


def equal_file_lines(picks: Sequence[Pick]) -> list[str]:
  """Returns lines about chosen files of equal content; all of them are kept."""
  of_path = {pick.image.path: pick for pick in picks}
  paths = list(of_path)
  found = [
    [paths[i] for i in rows] for rows in duplicates.duplicate_groups(paths)
  ]
  kinds = {
    'in more than one class': [
      g for g in found if len({of_path[p].entry.name for p in g}) > 1
    ],
    'within one class': [
      g for g in found if len({of_path[p].entry.name for p in g}) < len(g)
    ],
  }
  # Copies are kept, because without them counts would differ from the
  # published ones.
  return duplicates.duplicate_lines(kinds) or [
    'no duplicates among the chosen images (by content)'
  ]
