"""Chooses the images of OWDFA-40, Protocols 1 to 3, from the unzipped folders.

The released code walks the folders in the order of the file system; here they
and their files are sorted, so that a seed gives the same images everywhere.
"""

import argparse
import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import image_folders
from input_pipeline.benchmarks import (
  candidates,
  owdfa40_classes,
  split_rules,
)
from input_pipeline.benchmarks.benchmark_class import BenchmarkClass
from input_pipeline.benchmarks.listing import Listing, list_subfolders
from input_pipeline.benchmarks.picks import (
  Pick,
  ProtocolCsv,
  images_wanted,
  round_half_up,
)
from input_pipeline.forgery_types import REAL
from input_pipeline.meta import LABELLED, UNLABELLED

# Where the class folders may lie below the folder of the datasets.
_PLACES = ('', 'data', 'OWDFA40-Benchmark/data', 'OWDFA-40', 'OWDFA40')
# An image: the listing of its folder, and its name there.
_Found = tuple[Listing, str]


def choose_owdfa40_images(
  arguments: argparse.Namespace, factor: float
) -> tuple[list[Listing], list[ProtocolCsv]]:
  """Chooses the images of the three protocols.

  Args:
    arguments: the arguments of `prepare owdfa40`.
    factor: multiplies the counts of the class table.

  Returns:
    What each class's folder offers, and the content of the CSVs.
  """
  # The protocols share their folders, whatever is known in them.
  listings = list_owdfa40(
    arguments.datasets, owdfa40_classes.owdfa40_protocol(1)
  )
  csvs = []
  for number in (1, 2, 3):
    classes = owdfa40_classes.owdfa40_protocol(number)
    picks = pick_images(
      listings,
      classes,
      factor=factor,
      seed=arguments.seed,
      rule=arguments.split,
    )
    if arguments.split == 'video':
      picks = split_rules.split_by_video(picks, arguments.seed)
      picks = _label_training(picks, arguments.seed)
    csvs.append(
      ProtocolCsv(f'owdfa40_protocol{number}_meta.csv', classes, picks)
    )
  return listings, csvs


def list_owdfa40(
  datasets: pathlib.Path, classes: Sequence[BenchmarkClass]
) -> list[Listing]:
  """Lists each folder `<index>_<type>_<name>`, sorted by name.

  Images are found at any depth, so that it does not matter whether unzipping
  made one folder of that name or two. The real class has several folders and
  as many listings. A class without a folder gets an empty listing at the end.
  """
  of_index = {entry.folder: entry for entry in classes}
  listings, seen = [], set()
  root = _find_root(datasets)
  for name in list_subfolders(root) if root else []:
    entry = of_index.get(name.split('_')[0])
    if entry is None or root is None:
      continue
    seen.add(entry.folder)
    base = root / name
    scan = image_folders.scan_images(base)
    names = [os.path.relpath(path, base) for path in scan.images]
    nested = len({os.path.dirname(each) for each in names}) > 1
    image_source = name if entry.forgery_type == REAL else entry.dataset
    listings.append(
      Listing(
        entry,
        f'{entry.folder}_<type>_<name>/**/<image>',
        os.fspath(base),
        names,
        functools.partial(
          candidates.owdfa40_candidate, os.fspath(base), image_source, nested
        ),
        guess='videos are told from the names of folders and files',
        problems=[*scan.unreadable.values()],
      )
    )
  for index, entry in of_index.items():
    if index not in seen:
      listings.append(Listing(entry, f'{index}_<type>_<name>/**/<image>'))
  return listings


def _find_root(datasets: pathlib.Path) -> pathlib.Path | None:
  """Returns the folder that holds the class folders."""
  for place in _PLACES:
    for name in list_subfolders(datasets / place):
      if name.split('_')[0].isdecimal() and '_' in name:
        return datasets / place
  return None


def pick_images(
  listings: Sequence[Listing],
  classes: Sequence[BenchmarkClass],
  *,
  factor: float,
  seed: int,
  rule: str,
) -> list[Pick]:
  """Draws, splits and tags the images of one protocol.

  Rule 'released' repeats the released code: one generator cuts each real folder
  to size, then draws, shuffles and splits class after class, and at last draws
  the labelled 75 % from the training images of all known classes together.
  Rule 'stratified' splits and labels each folder by itself: 80 % train, and
  75 % of these are labelled. Rule 'video' marks all images for training.

  Args:
    listings: what `list_owdfa40` returns.
    classes: the classes of the protocol, in the order of their ids.
    factor: multiplies the counts of the class table.
    seed: the seed of NumPy's legacy generator.
    rule: 'released', 'stratified' or 'video'.
  """
  generator = np.random.RandomState(seed)
  found = _cut_real_folders(listings, classes, factor, generator)
  picks = []
  for entry, images in found.items():
    for group in _shuffle(entry, images, factor, rule, generator):
      picks += _split_group(entry, group, rule)
  groups = _known_training_rows(picks)
  if rule == 'released':
    # One draw from all known classes, in the order of the training images.
    groups = [sorted(row for rows in groups for row in rows)]
  return _label(picks, groups, generator)


def _cut_real_folders(
  listings: Sequence[Listing],
  classes: Sequence[BenchmarkClass],
  factor: float,
  generator: np.random.RandomState,
) -> dict[BenchmarkClass, list[_Found]]:
  """Returns each class's images, those of a real folder cut to its size."""
  by_index = {entry.folder: entry for entry in classes}
  of_class: dict[BenchmarkClass, list[_Found]] = {}
  for listing in listings:
    entry = by_index[listing.entry.folder]
    images = [(listing, name) for name in listing.names]
    if entry.forgery_type == REAL:
      size = round_half_up(owdfa40_classes.PER_REAL_FOLDER * factor)
      rows = generator.permutation(len(images))[:size]
      images = [images[row] for row in rows]
    of_class.setdefault(entry, []).extend(images)
  return of_class


def _shuffle(
  entry: BenchmarkClass,
  images: list[_Found],
  factor: float,
  rule: str,
  generator: np.random.RandomState,
) -> list[list[_Found]]:
  """Cuts a class to size and shuffles it; returns the groups to split."""
  size = images_wanted(entry, factor)
  if len(images) > size:
    rows = generator.permutation(len(images))[:size]
    images = [images[row] for row in rows]
  order = np.arange(len(images))
  generator.shuffle(order)
  shuffled = [images[row] for row in order]
  if rule == 'released':
    return [shuffled]
  folders = dict.fromkeys(listing.found for listing, _ in images)
  return [
    [each for each in shuffled if each[0].found == name] for name in folders
  ]


def _split_group(
  entry: BenchmarkClass, group: Sequence[_Found], rule: str
) -> list[Pick]:
  # The released boundary: 1 - 0.2 in floating point, times n, rounded down.
  boundary = int(len(group) * (1 - 0.2)) if rule != 'video' else len(group)
  picks = []
  for i, (listing, name) in enumerate(group):
    assert listing.make_candidate is not None  # it has images
    split = 'train' if i < boundary else 'test'
    picks.append(Pick(listing.make_candidate(name), entry, UNLABELLED, split))
  return picks


def _known_training_rows(picks: Sequence[Pick]) -> list[list[int]]:
  """Groups the training rows of known classes by class and image source."""
  groups: dict[tuple, list[int]] = {}
  for row, pick in enumerate(picks):
    if pick.entry.known and pick.split == 'train':
      key = pick.entry, pick.image.image_source
      groups.setdefault(key, []).append(row)
  return list(groups.values())


def _label_training(picks: Sequence[Pick], seed: int) -> list[Pick]:
  """Labels 75 % of each known class's training images, and no others."""
  unlabelled = [dataclasses.replace(pick, tag=UNLABELLED) for pick in picks]
  groups = _known_training_rows(unlabelled)
  return _label(unlabelled, groups, np.random.RandomState(seed))


def _label(
  picks: list[Pick],
  groups: Sequence[Sequence[int]],
  generator: np.random.RandomState,
) -> list[Pick]:
  for rows in groups:
    count = int(len(rows) * owdfa40_classes.LABELLED_SHARE)
    for i in generator.permutation(len(rows))[:count]:
      picks[rows[i]] = dataclasses.replace(picks[rows[i]], tag=LABELLED)
  return picks
