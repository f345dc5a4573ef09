"""OWDFA-40 Protocols 1 to 3 from the unzipped folders."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import folder
from input_pipeline.benchmarks import naming, tables40
from input_pipeline.benchmarks.listing import Listing, subfolders
from input_pipeline.benchmarks.select import Pick, half_up, wanted
from input_pipeline.benchmarks.tables import ForgeryClass
from input_pipeline.forgery_types import REAL
from input_pipeline.meta import LABELLED, UNLABELLED

PLACES = ('', 'data', 'OWDFA40-Benchmark/data', 'OWDFA-40', 'OWDFA40')


def list_classes(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass]
) -> list[Listing]:
  """One listing per folder `<index>_<type>_<name>`, sorted by their names.

  Images are found at any depth, so it does not matter whether unzipping made
  one folder of that name or two. The real class has several folders. A class
  without a folder gets an empty listing, after the others.
  """
  of_index = {entry.folder: entry for entry in classes}
  listings, seen = [], set()
  root = _root(datasets)
  for name in subfolders(root) if root else []:
    entry = of_index.get(name.split('_')[0])
    if entry is None or root is None:
      continue
    seen.add(entry.folder)
    base = root / name
    paths = folder.list_images(base)
    names = [os.path.relpath(path, base) for path in paths]
    parents = {os.path.dirname(each) for each in names}
    source = name if entry.forgery_type == REAL else entry.source
    listings.append(
      Listing(
        entry,
        f'{entry.folder}_<type>_<name>/**/<image>',
        os.fspath(base),
        names,
        functools.partial(
          naming.released_image, os.fspath(base), source, len(parents) > 1
        ),
        guess='videos are told from the names of folders and files',
      )
    )
  for index, entry in of_index.items():
    if index not in seen:
      listings.append(Listing(entry, f'{index}_<type>_<name>/**/<image>'))
  return listings


def select(
  listings: Sequence[Listing],
  classes: Sequence[ForgeryClass],
  *,
  scale: float,
  seed: int,
  rule: str,
) -> list[Pick]:
  """Images, tags and (unless `rule` is 'video') the split of one protocol.

  'released' is the released rule: one generator cuts each real folder, then
  draws, shuffles and cuts class after class, and last draws the labelled 75 %
  from all known training images together. The original walks the folders in
  the order of the file system; here they, and the files, are sorted.
  'stratified' draws each folder by itself: 80 % train, 75 % of which labelled.

  Args:
    listings: of `list_classes`.
    classes: of one protocol, in the order of their ids.
    scale: multiplies the budgets.
    seed: of NumPy's legacy generator.
    rule: 'released', 'stratified' or 'video' (all of it marked for training).
  """
  generator = np.random.RandomState(seed)
  by_index = {entry.folder: entry for entry in classes}
  rows: dict[ForgeryClass, list[tuple[Listing, str]]] = {}
  for listing in listings:
    entry = by_index[listing.entry.folder]
    found = [(listing, name) for name in listing.names]
    if entry.forgery_type == REAL:
      cut = min(len(found), half_up(tables40.PER_REAL_FOLDER * scale))
      found = [found[i] for i in generator.permutation(len(found))[:cut]]
    rows.setdefault(entry, []).extend(found)
  picks = []
  for entry, found in rows.items():
    budget = wanted(entry, scale)
    if len(found) > budget:
      found = [found[i] for i in generator.permutation(len(found))[:budget]]
    order = np.arange(len(found))
    generator.shuffle(order)
    groups = [[found[i] for i in order]]
    if rule != 'released':  # each of the real class's folders by itself
      folders = dict.fromkeys(each[0].found for each in found)
      groups = [[f for f in groups[0] if f[0].found == p] for p in folders]
    for group in groups:
      picks += _split_group(entry, group, rule)
  if rule == 'released':
    return _label(picks, [sorted(sum(_groups(picks), []))], generator)
  return _label(picks, _groups(picks), generator)


def _split_group(
  entry: ForgeryClass, group: Sequence[tuple[Listing, str]], rule: str
) -> list[Pick]:
  # As released: the float 1 - 0.2, times n, cut off.
  boundary = int(len(group) * (1 - 0.2)) if rule != 'video' else len(group)
  picks = []
  for i, (listing, name) in enumerate(group):
    assert listing.image is not None
    split = 'train' if i < boundary else 'test'
    picks.append(Pick(listing.image(name), entry, UNLABELLED, split))
  return picks


def _groups(picks: Sequence[Pick]) -> list[list[int]]:
  groups: dict[tuple, list[int]] = {}
  for row, pick in enumerate(picks):
    if pick.entry.known and pick.split == 'train':
      key = pick.entry, pick.image.image_source
      groups.setdefault(key, []).append(row)
  return list(groups.values())


def label_training(picks: Sequence[Pick], seed: int) -> list[Pick]:
  """Labels 75 % of each known class's training images anew."""
  bare = [dataclasses.replace(pick, tag=UNLABELLED) for pick in picks]
  return _label(bare, _groups(bare), np.random.RandomState(seed))


def _label(
  picks: list[Pick],
  groups: Sequence[Sequence[int]],
  generator: np.random.RandomState,
) -> list[Pick]:
  for rows in groups:
    count = int(len(rows) * tables40.LABELLED_SHARE)
    for i in generator.permutation(len(rows))[:count]:
      picks[rows[i]] = dataclasses.replace(picks[rows[i]], tag=LABELLED)
  return picks


def _root(datasets: pathlib.Path) -> pathlib.Path | None:
  """The folder that holds the class folders."""
  for place in PLACES:
    for name in subfolders(datasets / place):
      if name.split('_')[0].isdecimal() and '_' in name:
        return datasets / place
  return None
