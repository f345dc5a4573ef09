"""Cuts tiles from images that are larger than the network, without resizing.

Resizing removes the traces that forgery methods leave. A tile keeps them.
"""

import dataclasses

import numpy as np

from input_pipeline.errors import UserError

# Of an image.
MOST_TILES = 4096


@dataclasses.dataclass(frozen=True)
class Tiling:
  """How tiles are cut from an image.

  Attributes:
    count: the most tiles of an image.
    grid: tiles begin at multiples of this, in pixels.
    seed: the seed of their positions.
  """

  count: int
  grid: int
  seed: int


def tile_positions(
  height: int, width: int, size: int, tiling: Tiling, sha256: str
) -> np.ndarray:
  """Returns where the tiles of an image begin.

  The positions depend on the image's bytes and on the arguments alone. All
  positions on the grid at which a tile lies within the image are as likely.

  Args:
    height: of the image, in pixels, at least `size`.
    width: of the image, in pixels, at least `size`.
    size: S, tiles have S x S pixels.
    tiling: how tiles are cut.
    sha256: the hash of the image file, hexadecimal.

  Returns:
    int64 [n, 2], the top and the left edge of each tile, no two alike; n is
    `tiling.count`, or the number of positions if that is smaller.
  """
  rows, columns = ((side - size) // tiling.grid + 1 for side in (height, width))
  words = [int(sha256[i : i + 8], 16) for i in range(0, 32, 8)]
  # Frozen generator: the positions stay the same with every NumPy version.
  draws = np.random.RandomState([tiling.seed, *words])
  wanted = min(tiling.count, rows * columns)
  chosen: dict[int, None] = {}
  if 2 * wanted > rows * columns:
    chosen = dict.fromkeys(draws.permutation(rows * columns)[:wanted].tolist())
  # A permutation of all positions of a large image would take a second.
  while len(chosen) < wanted:
    chosen[int(draws.randint(rows * columns, dtype=np.int64))] = None
  places = np.fromiter(chosen, np.int64, wanted)
  return tiling.grid * np.stack(np.divmod(places, columns), -1)


def cut_tiles(
  image: np.ndarray, size: int, tiling: Tiling, sha256: str, name: str
) -> list[np.ndarray]:
  """Cuts tiles from an image at native resolution; see `tile_positions`.

  Args:
    image: uint8 [H, W, 3].
    size: S, pixels.
    tiling: how tiles are cut.
    sha256: the hash of the image file, hexadecimal.
    name: the path of the image, for the error.

  Returns:
    At least one uint8 [S, S, 3].

  Raises:
    UserError: a side of the image is shorter than S.
  """
  height, width = image.shape[:2]
  if min(height, width) < size:
    raise UserError(
      f'image smaller than a tile: {name}: {width} x {height} pixels, a tile '
      f'has {size} x {size} and is not enlarged'
    )
  positions = tile_positions(height, width, size, tiling, sha256)
  return [
    image[top : top + size, left : left + size] for top, left in positions
  ]
