"""Draws the test and the labelled images of class folders."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from input_pipeline import meta
from input_pipeline.blocks import block_rule, blocks_of, draw_test_blocks
from input_pipeline.errors import UsageError, UserError, check_choice
from input_pipeline.number_ranges import NumberRange
from input_pipeline.pack_options import SPLIT_RULES

_TEST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class FolderImage:
  """One image file, and what its folder says about it.

  Attributes:
    path: absolute.
    method: the name of the class folder.
    label: the class id, -1 where unknown.
    tag: 1 labelled, 2 unlabelled.
    split: 'train' or 'test'; None if packing makes the split.
    below: the path below the class folder.
    block: the images of one name are on one side of the split, and those of
      one class are labelled together; '' is a block of one image.
  """

  path: str
  method: str
  label: int
  tag: int
  split: str | None
  below: str
  block: str = ''


def check_split(
  split: str,
  group_by: str | None,
  test_share: float | None,
  *,
  has_test_root: bool,
) -> Callable[[str], str] | None:
  """Returns the rule that names blocks; None for a split by image.

  Args:
    split: one of `pack_options.SPLIT_RULES`.
    group_by: the rule, or None.
    test_share: the share of the test set, or None.
    has_test_root: whether the test images are in a folder of their own.

  Raises:
    UserError: the arguments do not fit each other, or are out of range.
  """
  check_choice('--split', split, SPLIT_RULES)
  if split != 'by_group':
    for name, value in ('group_by', group_by), ('test_share', test_share):
      if value is not None:
        raise UsageError(
          f'--{name}={value} needs --split=by_group; give it, or leave '
          f'--{name} out'
        )
    return None
  if has_test_root:
    raise UsageError(
      '--split=by_group with --test_root: the test set is given already; leave '
      'one of them out'
    )
  if group_by is None:
    raise UsageError(
      '--split=by_group needs --group_by, the rule that says which images '
      'belong together; give file_name, prefix:TEXT or pattern:REGEX'
    )
  if test_share is not None:
    share = NumberRange(0, 1, above=True, below=True)
    share.check('--test_share', test_share)
  return block_rule(group_by)


def split_by_group(
  images: Sequence[FolderImage],
  name_block: Callable[[str], str],
  test_share: float | None,
  seed: int,
) -> list[FolderImage]:
  """Splits images so that no block is on both sides.

  Args:
    images: the images.
    name_block: what `check_split` returns.
    test_share: the share of the test set; None is 0.2.
    seed: the seed of the draw.

  Returns:
    The images in the same order, with `split` and `block` set.

  Raises:
    UserError: the rule does not fit an image, or a side gets no image.
  """
  names = [name_block(image.below) for image in images]
  blocks = blocks_of(names)
  test = draw_test_blocks(
    blocks,
    [image.label for image in images],
    _TEST_SHARE if test_share is None else test_share,
    seed,
  )
  if not 0 < len(test) < len(images):
    raise UserError(
      f'no split by group: {len(images)} images are in {len(blocks)} blocks, '
      'too few or too large to share out; give another --group_by or '
      '--test_share'
    )
  return [
    dataclasses.replace(
      image, split='test' if row in test else 'train', block=name
    )
    for row, (image, name) in enumerate(zip(images, names, strict=True))
  ]


def draw_labelled(
  images: Sequence[FolderImage], num_known: int, fraction: float, seed: int
) -> list[FolderImage]:
  """Labels a share of the training images of each known class.

  Args:
    images: the images of all classes, and those of unknown class.
    num_known: the labels below it are those of known classes.
    fraction: the share, of the blocks of a class or of its images.
    seed: the seed of the draw.

  Returns:
    The images in the same order, with `tag` set.

  Raises:
    UserError: no image of a class would be labelled.
  """
  # Frozen generator: the draw stays the same with every NumPy version.
  draws = np.random.RandomState(seed)
  labels = np.array([image.label for image in images])
  in_training = np.array([image.split != 'test' for image in images])
  labelled = set()
  for label in range(num_known):
    rows = np.flatnonzero((labels == label) & in_training)
    blocks = blocks_of([images[row].block or row for row in rows.tolist()])
    count = int(fraction * len(blocks))
    if not count:
      method = next(image.method for image in images if image.label == label)
      raise UserError(
        f'class {method!r} has {len(blocks)} images or blocks to train on: '
        f'--labelled_fraction={fraction} labels none; raise it or add images'
      )
    for block in draws.permutation(len(blocks))[:count]:
      labelled |= set(rows[blocks[block]].tolist())
  return [
    dataclasses.replace(image, tag=meta.LABELLED) if i in labelled else image
    for i, image in enumerate(images)
  ]
