"""Chooses the training images whose scores set the threshold of unseen ones.

The score of an image that helped to fit the Gaussians is too low. So images are
drawn into folds, and those of a fold are scored by the Gaussians of the others.
The network still knows them, labelled ones best: their features lie closer
together than those of new images. So only images without a given label count,
where there are enough.
"""

import numpy as np

# With scores of fewer images, or groups of them, there is no threshold.
LEAST_SCORES = 20
# More folds take more time; the Gaussians are those of nine tenths of the rows.
NUM_FOLDS = 10
# What a report calls the images that set a threshold.
UNLABELLED_IMAGES = 'unlabelled training images'
TRAINING_IMAGES = 'training images'
# In files of earlier versions.
TEST_IMAGES = 'test images'


def threshold_rows(
  has_label: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, str]:
  """Returns the rows whose scores set the threshold, and what they are called.

  Args:
    has_label: bool [N], whether the network was given the row's label.
    group: int [N], the group of each row.

  Returns:
    bool [N]: the rows without a label; all rows if those without are of fewer
    than `LEAST_SCORES` groups.
  """
  free = ~has_label
  if len(np.unique(group[free])) >= LEAST_SCORES:
    return free, UNLABELLED_IMAGES
  return np.ones(len(group), bool), TRAINING_IMAGES


def draw_folds(group: np.ndarray) -> np.ndarray:
  """Returns the fold of each row, int32 [N], the same each time.

  The rows of a group are in the same fold.

  Args:
    group: int [N], the group of each row.
  """
  found, number = np.unique(group, return_inverse=True)
  order = np.random.default_rng(0).permutation(len(found))
  return (order % NUM_FOLDS).astype(np.int32)[number]


def draw_rows(group: np.ndarray, most: int) -> np.ndarray:
  """Returns the rows of random groups, int [M], sorted, the same each time.

  Args:
    group: int [N], the group of each row.
    most: no more rows are drawn; but at least one group is.
  """
  found, number = np.unique(group, return_inverse=True)
  order = np.random.default_rng(0).permutation(len(found))
  size = np.bincount(number)[order].cumsum()
  drawn = np.zeros(len(found), bool)
  drawn[order[: max(1, np.searchsorted(size, most, 'right'))]] = True
  return np.flatnonzero(drawn[number])
