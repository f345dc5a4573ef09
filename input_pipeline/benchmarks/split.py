"""Training and test rows of a benchmark: as released, stratified, by video."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from input_pipeline.benchmarks.select import Pick
from input_pipeline.splits import released_split

TRAIN_SHARE = 0.8


def released(
  picks: Sequence[Pick], labels: Sequence[int], seed: int
) -> list[Pick]:
  """The rule that packing applies to a CSV without a `split` column."""
  train, _ = released_split(
    np.array(labels),
    np.array([pick.tag for pick in picks]),
    np.array([pick.image.image_source for pick in picks], object),
    ratio=TRAIN_SHARE,
    seed=seed,
  )
  return _mark(picks, set(train.tolist()))


def stratified(picks: Sequence[Pick], seed: int) -> list[Pick]:
  """80 % of each class, source and tag, drawn class after class."""
  groups = collections.defaultdict(list)
  for row, pick in enumerate(picks):
    groups[pick.entry, pick.image.image_source, pick.tag].append(row)
  generator = np.random.RandomState(seed)
  train: set[int] = set()
  for rows in groups.values():
    drawn = generator.permutation(len(rows))[: round(TRAIN_SHARE * len(rows))]
    train.update(rows[i] for i in drawn)
  return _mark(picks, train)


def by_video(picks: Sequence[Pick], seed: int) -> list[Pick]:
  """About 80 % of each class, with no recording on both sides.

  Images that share a recording, directly or through others, form a block:
  FaceForensics++'s fakes with the real videos they were made of. Blocks are
  shuffled, those of several classes first because they fit least, and held out
  whole as long as that brings no class (and source) further from its 20 %. A
  class of very few videos may have no test image.
  """
  keys = [(pick.entry, pick.image.image_source) for pick in picks]
  quota = {
    key: round((1 - TRAIN_SHARE) * count)
    for key, count in collections.Counter(keys).items()
  }
  blocks = _blocks(picks)
  generator = np.random.RandomState(seed)
  shuffled = [blocks[i] for i in generator.permutation(len(blocks))]
  shuffled.sort(key=lambda rows: -len({keys[row] for row in rows}))
  held_out = collections.Counter()
  test: set[int] = set()
  for rows in shuffled:
    size = collections.Counter(keys[row] for row in rows)
    if all(
      2 * held_out[key] + count <= 2 * quota[key] for key, count in size.items()
    ):
      held_out += size
      test.update(rows)
  return _mark(picks, set(range(len(picks))) - test)


def leaks(picks: Sequence[Pick]) -> tuple[int, int]:
  """(test images whose video also has training images, test images)."""
  train = {pick.image.video for pick in picks if pick.split == 'train'} - {''}
  test = [pick for pick in picks if pick.split == 'test']
  return sum(pick.image.video in train for pick in test), len(test)


def _mark(picks: Sequence[Pick], train: set[int]) -> list[Pick]:
  return [
    dataclasses.replace(pick, split='train' if row in train else 'test')
    for row, pick in enumerate(picks)
  ]


def _blocks(picks: Sequence[Pick]) -> list[list[int]]:
  """Rows grouped by shared footage, transitively; by first row."""
  parent: dict[str, str] = {}

  def root(name: str) -> str:
    while parent.setdefault(name, name) != name:
      parent[name] = name = parent[parent[name]]
    return name

  for pick in picks:
    for other in pick.image.footage[1:]:
      parent[root(other)] = root(pick.image.footage[0])
  blocks: dict[str | int, list[int]] = collections.defaultdict(list)
  for row, pick in enumerate(picks):
    footage = pick.image.footage
    blocks[root(footage[0]) if footage else row].append(row)
  return list(blocks.values())
