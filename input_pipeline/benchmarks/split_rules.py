"""Splits the images of a benchmark into training and test.

Three rules: as released, stratified (exact shares) and by video (no recording
on both sides).
"""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from input_pipeline.benchmarks.picks import Pick
from input_pipeline.blocks import draw_test_blocks
from input_pipeline.splits import released_split

TRAIN_SHARE = 0.8


def split_as_released(
  picks: Sequence[Pick], labels: Sequence[int], seed: int
) -> list[Pick]:
  """Splits as packing does where a CSV has no `split` column.

  Args:
    picks: the images.
    labels: the class id of each image.
    seed: the seed of NumPy's legacy generator.

  Returns:
    The images in the same order, with `split` set.
  """
  train, _ = released_split(
    np.array(labels),
    np.array([pick.tag for pick in picks]),
    np.array([pick.image.image_source for pick in picks], object),
    ratio=TRAIN_SHARE,
    seed=seed,
  )
  return _set_split(picks, set(train.tolist()))


def split_stratified(picks: Sequence[Pick], seed: int) -> list[Pick]:
  """Draws 80 % of each group of equal class, dataset and tag for training."""
  groups = collections.defaultdict(list)
  for row, pick in enumerate(picks):
    groups[pick.entry, pick.image.image_source, pick.tag].append(row)
  generator = np.random.RandomState(seed)
  train: set[int] = set()
  for rows in groups.values():
    drawn = generator.permutation(len(rows))[: round(TRAIN_SHARE * len(rows))]
    train.update(rows[i] for i in drawn)
  return _set_split(picks, train)


def split_by_video(picks: Sequence[Pick], seed: int) -> list[Pick]:
  """Splits so that no recording has frames on both sides.

  About 80 % of each class are for training. Images that share a recording,
  directly or through other images, form a block: FaceForensics++'s fakes with
  the real videos that they were made from. `blocks.draw_test_blocks` draws the
  blocks of the test set, by class and dataset.

  Args:
    picks: the images.
    seed: the seed of NumPy's legacy generator.

  Returns:
    The images in the same order, with `split` set.
  """
  keys = [(pick.entry, pick.image.image_source) for pick in picks]
  test = draw_test_blocks(_blocks(picks), keys, 1 - TRAIN_SHARE, seed)
  return _set_split(picks, set(range(len(picks))) - test)


def count_leaks(picks: Sequence[Pick]) -> tuple[int, int]:
  """Counts test images whose video also has training images.

  Returns:
    (such test images, all test images).
  """
  train = {pick.image.video for pick in picks if pick.split == 'train'} - {''}
  test = [pick for pick in picks if pick.split == 'test']
  return sum(pick.image.video in train for pick in test), len(test)


def _set_split(picks: Sequence[Pick], train: set[int]) -> list[Pick]:
  return [
    dataclasses.replace(pick, split='train' if row in train else 'test')
    for row, pick in enumerate(picks)
  ]


def _blocks(picks: Sequence[Pick]) -> list[list[int]]:
  """Groups rows that share footage, directly or through other rows.

  Blocks are in the order of their first rows.
  """
  # A union-find forest over the names of recordings.
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
