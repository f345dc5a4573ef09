"""Means of the rows of each group: the tiles of an image, or a video."""

import numpy as np


def group_means(
  rows: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the mean row of each group, such as that of the tiles of an image.

  The mean spectrum of the tiles varies less than that of one tile.

  Args:
    rows: float [N] or [N, D]; sums are in their dtype.
    group: int [N], the number of each row's group.

  Returns:
    The means [G] or [G, D] in the dtype of the rows, the groups in the order of
    their first rows; and int [G], the position of the first row of each.
  """
  _, first, number = np.unique(group, return_index=True, return_inverse=True)
  order = np.argsort(first, kind='stable')
  place = np.empty_like(order)
  place[order] = np.arange(len(order))
  total = np.zeros((len(first), *rows.shape[1:]), rows.dtype)
  np.add.at(total, place[number], rows)
  size = np.bincount(place[number]).astype(rows.dtype)
  return (total.T / size).T, first[order]
