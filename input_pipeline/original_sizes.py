"""Compares the sizes of images before and after packing.

Resizing blurs the traces that forgery methods leave, or removes them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# A line is printed where two sizes differ by this factor or more.
_FACTOR = 2
# And where at least this share of the images is that much larger.
_LEAST_SHARE = 0.05


def describe_sides(
  sides: Sequence[int], size: int, *, resized: bool = True
) -> dict[str, float]:
  """Returns what the description says about the sizes of the images.

  Args:
    sides: the longer side of each image before it was resized, in pixels.
    size: S, the side of the packed images.
    resized: whether whole images were packed; False for tiles of them.

  Returns:
    `median`, the median of `sides`, and `shrunk_share`, the share of images
    that became smaller by a factor of 2 or more.
  """
  if not sides:
    return {'median': 0, 'shrunk_share': 0.0}
  shrunk = resized & (np.asarray(sides) >= _FACTOR * size)
  return {
    'median': int(np.median(sides)),
    'shrunk_share': round(float(shrunk.mean()), 4),
  }


def shrunk_lines(description: Mapping[str, Any]) -> list[str]:
  """Returns a line if packing made many images much smaller.

  Args:
    description: the description of the packed directory.
  """
  # Directories packed before this was recorded lack it.
  sides = description.get('original_sides', {})
  share = sides.get('shrunk_share', 0)
  if share < _LEAST_SHARE:
    return []
  size, median = description['image_size'], sides['median']
  crop = description['made']['arguments']['crop']
  remedy = (
    'cut tiles (--tiles 6), crop the faces (--crop opencv) or give'
    if crop == 'none'
    else 'give'
  )
  what = 'images' if crop == 'none' else 'images or faces'
  return [
    f'shrunk: {share:.0%} of the {what} have a side of {_FACTOR * size} pixels '
    f'or more (median {median}) and become {size} x {size}, which blurs the '
    f'traces that forgery methods leave; {remedy} a larger --size'
  ]


def enlarged_lines(description: Mapping[str, Any]) -> list[str]:
  """Returns a line if packing made half of the images larger.

  Args:
    description: the description of the packed directory.
  """
  # Missing in directories packed before it was recorded; 0 without images.
  median = description.get('original_sides', {}).get('median', 0)
  if not median or median >= (size := description['image_size']):
    return []
  return [
    f'enlarged: half of the images have a longer side of {median} pixels or '
    f'less and become {size} x {size}, which adds no detail; a smaller --size '
    'takes less time and memory'
  ]


def unlike_lines(
  sides: Sequence[int], description: Mapping[str, Any]
) -> list[str]:
  """Returns a line if new images are of another size than those packed.

  Args:
    sides: the longer side of each new image before it was resized, in pixels.
    description: the description of the packed directory.
  """
  packed = description.get('original_sides', {}).get('median', 0)
  tiles = description['made'].get('arguments', {}).get('tiles', 0)
  # Tiles are cut, not resized.
  if not packed or not len(sides) or tiles:
    return []
  median = int(np.median(sides))
  if packed < _FACTOR * median and median < _FACTOR * packed:
    return []
  return [
    f'warning: half of these images have a side of {median} pixels or more, '
    f'those that the network was trained on {packed}; resizing changes the '
    'traces that it looks for, so expect wrong names: give images of the same '
    'kind, or pack and train on such images'
  ]
