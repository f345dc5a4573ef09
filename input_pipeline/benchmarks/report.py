"""What a benchmark found, lacks and took, as lines for the terminal."""

import collections
from collections.abc import Sequence

from input_pipeline import duplicates
from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.select import Pick, wanted
from input_pipeline.benchmarks.split import leaks
from input_pipeline.benchmarks.tables import ForgeryClass
from input_pipeline.meta import LABELLED


def layout(listings: Sequence[Listing]) -> list[str]:
  """Every assumption about the folders, and what was found there."""
  lines = ['layout: what is looked for below --datasets, and what is there']
  places: dict[tuple[str, str, str], list[Listing]] = {}
  for listing in listings:
    key = listing.looked_for, listing.found, listing.guess
    places.setdefault(key, []).append(listing)
  for (looked_for, found, guess), those in places.items():
    counts = [f'{each.entry.name} {len(each)}' for each in those]
    lines += [
      f'  looked for  {looked_for}',
      f'  found       {found or "NOTHING"}',
      f'  candidates  {", ".join(counts)}',
    ]
    if guess:
      lines.append(f'  A GUESS     {guess}')
    lines += [f'  unreadable  {w}' for each in those for w in each.problems]
    lines.append('')
  return lines


def table(
  title: str,
  classes: Sequence[ForgeryClass],
  picks: Sequence[Pick],
  factor: float,
) -> list[str]:
  """One line per class in the order of the ids, and the split's report."""
  width = max(len(entry.name) for entry in classes)
  lines = [
    title,
    f'  id  {"class":{width}}  role   wanted  chosen  labelled  unlabelled'
    '   train    test  videos',
  ]
  of_class = group(picks)
  for number, entry in enumerate(classes):
    mine = of_class.get(entry, [])
    labelled = sum(pick.tag == LABELLED for pick in mine)
    test = sum(pick.split == 'test' for pick in mine)
    videos = len({pick.image.video for pick in mine} - {''})
    role = 'known' if entry.known else 'novel'
    lines.append(
      f'  {number:2d}  {entry.name:{width}}  {role}  '
      f'{wanted(entry, factor):6d}  {len(mine):6d}  {labelled:8d}  '
      f'{len(mine) - labelled:10d}  {len(mine) - test:6d}  {test:6d}  '
      f'{videos:6d}'
    )
  shared, total = leaks(picks)
  lines.append(
    f'  {shared} of {total} test images are frames of a video that training '
    'images come from, too'
  )
  no_test = [
    entry.name
    for entry, mine in of_class.items()
    if not any(pick.split == 'test' for pick in mine)
  ]
  if no_test:
    lines.append(f'  no test image: {", ".join(no_test)}')
  return lines


def lacking(
  classes: Sequence[ForgeryClass], picks: Sequence[Pick], factor: float
) -> list[str]:
  """`class: n of m images` of every class that has fewer than its table."""
  of_class = group(picks)
  return [
    f'{entry.name}: {count} of {total} images'
    for entry in classes
    if (count := len(of_class.get(entry, [])))
    < (total := wanted(entry, factor))
  ]


def copies(picks: Sequence[Pick]) -> list[str]:
  """Reports chosen files of equal bytes; none is dropped."""
  of_path = {pick.image.path: pick for pick in picks}
  paths = list(of_path)
  found = [[paths[i] for i in rows] for rows in duplicates.groups(paths)]
  kinds = {
    'in more than one class': [
      g for g in found if len({of_path[p].entry.name for p in g}) > 1
    ],
    'within one class': [
      g for g in found if len({of_path[p].entry.name for p in g}) < len(g)
    ],
  }
  return duplicates.report(kinds) or [
    'no duplicates among the chosen images (by content)'
  ]


def group(picks: Sequence[Pick]) -> dict[ForgeryClass, list[Pick]]:
  """The picks of each class."""
  of_class = collections.defaultdict(list)
  for pick in picks:
    of_class[pick.entry].append(pick)
  return dict(of_class)
