"""Which images a benchmark takes, and which of them are labelled.

The released notebook's draws, for the same seed, where the order it draws from
is defined (ForgeryNet's and ForgeryNIR's list files); elsewhere the same draws
from the sorted listing. It was released for `--size=large` only: the smaller
size is its recipe with every number divided by five.
"""

import dataclasses
import random
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline.benchmarks import tables
from input_pipeline.benchmarks.listing import Image, Listing
from input_pipeline.benchmarks.sources import NIR_FOLDERS
from input_pipeline.benchmarks.tables import ForgeryClass
from input_pipeline.meta import LABELLED, UNLABELLED

# The order in which the notebook draws from DFFD.
_DFFD_FOLDERS = ('faceapp', 'pggan_v2', 'stargan', 'stylegan_ffhq')


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
  """One image of a benchmark."""

  image: Image
  entry: ForgeryClass
  tag: int
  split: str = ''  # 'train' or 'test', once that is decided


def half_up(value: float) -> int:
  """The notebook's rounding."""
  return int(value + 0.5)


def wanted(entry: ForgeryClass, factor: float) -> int:
  """How many images of a class there are at `factor` times the table."""
  return max(1, half_up(sum(entry.images) * factor))


def draw(
  listings: Sequence[Listing], factor: float, seed: int
) -> dict[ForgeryClass, list[str]]:
  """The names drawn of each class, in the order the notebook has them.

  Of a novel class a third more is drawn than it keeps in the end.
  """
  drawn = {}
  for source in dict.fromkeys(each.entry.source for each in listings):
    of_source = [each for each in listings if each.entry.source == source]
    order = {tables.DFFD: _DFFD_FOLDERS, tables.NIR: NIR_FOLDERS}.get(source)
    if order:  # one generator for all of the source
      of_source.sort(key=lambda each: order.index(each.entry.folder))
    generator = random.Random(seed)
    for listing in of_source:
      if order is None:
        generator = random.Random(seed)
      count = _count_drawn(listing.entry, factor)
      drawn[listing.entry] = _draw_class(listing, count, generator, seed)
  return drawn


def _count_drawn(entry: ForgeryClass, factor: float) -> int:
  if entry.known:
    return wanted(entry, factor)
  # All that Celeb-DF offers, of which the tags then keep 5000.
  if entry.source == tables.CELEB:
    return 2**31
  return half_up(wanted(entry, factor) / 0.75)


def _draw_class(
  listing: Listing, count: int, generator: random.Random, seed: int
) -> list[str]:
  names, first = list(listing.names), list(listing.first)
  source = listing.entry.source
  if source == tables.NET:
    rows = np.random.RandomState(seed).permutation(len(names))[:count]
    return [names[row] for row in rows]
  if source == tables.DFFD and len(first) <= count:
    rest = min(len(names), count - len(first))
    return generator.sample(names, rest) + first
  if source == tables.NIR:
    return generator.sample(names, min(len(names), count))
  everything = first or names  # DFFD: enough images to train on
  if len(everything) <= count:  # FaceForensics++: no lots are drawn
    return everything
  rows = sorted(generator.sample(range(len(everything)), count))
  return [everything[row] for row in rows]


def tag(
  drawn: Mapping[ForgeryClass, Sequence[Image]],
  factor: float,
  seed: int,
) -> list[Pick]:
  """Labels three quarters of each known class and cuts the novel ones to size.

  One generator for all classes, by source (sorted) and, within a source, from
  the largest class down; the notebook leaves the order of equally large ones
  open, ours is by method. OW-DFA++'s classes come last, so that they change
  nothing of OW-DFA's.

  Returns:
    What is kept, class by class in the order of `drawn`.
  """
  generator = random.Random(seed)
  order = sorted(
    drawn,
    key=lambda entry: (
      entry not in tables.OWDFA,
      entry.source,
      -len(drawn[entry]),
      entry.method,
    ),
  )
  picks: dict[ForgeryClass, list[Pick]] = {}
  for entry in order:
    images = drawn[entry]
    if entry.known:
      share = entry.images[0] / sum(entry.images)
      rows = generator.sample(range(len(images)), half_up(len(images) * share))
      tags = dict.fromkeys(rows, LABELLED)
    else:
      left_out = max(0, len(images) - wanted(entry, factor))
      rows = generator.sample(range(len(images)), left_out)
      tags = dict.fromkeys(rows, None)
    picks[entry] = [
      Pick(image, entry, kept)
      for row, image in enumerate(images)
      if (kept := tags.get(row, UNLABELLED)) is not None
    ]
  return [pick for entry in drawn for pick in picks[entry]]
