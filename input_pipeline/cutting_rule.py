"""Chooses whether images are packed in tiles or whole, from their sizes.

Resizing blurs the traces that forgery methods leave, so images that are larger
than the network's input are cut into tiles.
"""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.image_headers import probe
from input_pipeline.image_kinds import image_kind
from input_pipeline.images import decode_file, read_file

# The most images that are looked at.
_MOST_IMAGES = 200
# The most tiles that the rule cuts from an image, and from all together.
_MOST_TILES, _MOST_IN_ALL = 32, 50_000
# Tiles need images of their size; this share of smaller ones is left out.
_MOST_SMALLER = 0.05
# Two sets of images are compared by their median side and share of JPEG.
_SIDE_FACTOR, _JPEG_APART = 2, 0.5


class ImageKinds(NamedTuple):
  """The sizes and encodings of a sample of images.

  Attributes:
    height: int [N], in pixels.
    width: int [N], in pixels.
    is_jpeg: bool [N].
  """

  height: np.ndarray
  width: np.ndarray
  is_jpeg: np.ndarray

  @property
  def shorter(self) -> np.ndarray:
    """The shorter side of each image, int [N], in pixels."""
    return np.minimum(self.height, self.width)


class Cutting(NamedTuple):
  """How images are packed.

  Attributes:
    tiles: the most tiles of an image; 0 for whole images.
    reason: why, for the user.
  """

  tiles: int
  reason: str


def look_at_images(paths: Sequence[str]) -> ImageKinds:
  """Reads the sizes of images, at most 200, evenly spread over the list.

  Images that cannot be read are left out.

  Args:
    paths: image files.
  """
  chosen = np.unique(np.linspace(0, len(paths) - 1, _MOST_IMAGES).astype(int))
  found = []
  for position in chosen.tolist() if paths else []:
    with contextlib.suppress(UserError):
      found.append(_look_at(paths[position]))
  height, width, is_jpeg = np.reshape(found, [-1, 3]).astype(int).T
  return ImageKinds(height, width, is_jpeg.astype(bool))


def choose_cutting(kinds: ImageKinds, size: int, num_images: int) -> Cutting:
  """Returns tiles where images are larger than the network's input.

  Images are larger if the shorter side of half of them is, and if at most one
  in twenty is smaller than a tile: a smaller image cannot be cut. An image
  gives as many tiles as its area has, the median image counting: but at most
  32, and so few that all images together have about 50,000.

  Args:
    kinds: of a sample of the images.
    size: S, the side of the network's input in pixels.
    num_images: the number of all images.
  """
  if not len(kinds.height):
    return Cutting(0, 'no image could be read')
  side = int(np.median(kinds.shorter))
  half = f'half of the images have a shorter side of {side} pixels or'
  if side <= size:
    return Cutting(0, f'{half} less, not more than the network sees ({size})')
  smaller = float((kinds.shorter < size).mean())
  if smaller > _MOST_SMALLER:
    return Cutting(
      0, f'{smaller:.0%} of the images are smaller than a tile ({size} pixels)'
    )
  area = float(np.median(kinds.height * kinds.width)) / size**2
  limits = {
    max(1, int(area)): 'as many tiles as their area has',
    _MOST_TILES: f'at most {_MOST_TILES} tiles of an image',
    max(1, _MOST_IN_ALL // num_images): (
      f'so few tiles that {num_images} images have about {_MOST_IN_ALL}'
    ),
  }
  tiles = min(limits)
  return Cutting(
    tiles, f'{half} more, and the network sees {size}; {limits[tiles]}'
  )


def unlike_kinds(known: ImageKinds, heap: ImageKinds) -> list[str]:
  """Returns lines on what sets all known images apart from those of a heap.

  A network may learn such a difference in place of the sources.

  Args:
    known: of images of known sources.
    heap: of the others.
  """
  if not len(known.height) or not len(heap.height):
    return []
  lines = []
  sides = [int(np.median(each.shorter)) for each in (known, heap)]
  if max(sides) >= _SIDE_FACTOR * min(sides):
    lines.append(
      f'warning: half of the known images have a shorter side of {sides[0]} '
      f'pixels or more, those of the heap {sides[1]}; sources may be told '
      'apart by the size of their images: give images of the same kind'
    )
  shares = [float(each.is_jpeg.mean()) for each in (known, heap)]
  if abs(shares[0] - shares[1]) > _JPEG_APART:
    lines.append(
      f'warning: {shares[0]:.0%} of the known images are JPEG, and '
      f'{shares[1]:.0%} of the heap; sources may be told apart by the '
      'compression: give images of the same kind'
    )
  return lines


def _look_at(path: str) -> tuple[int, int, bool]:
  """Returns the height and width of an image, and whether it is a JPEG."""
  data = read_file(path)
  kind, height, width, _ = probe(data)
  if not kind:
    height, width = decode_file(data, path).shape[:2]
  return height, width, image_kind(data) == 'jpeg'
