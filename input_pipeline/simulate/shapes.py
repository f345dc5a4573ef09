"""Shapes in the face's own frame, and painting through them."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scene:
  """What the painters of one portrait share; S is its size in pixels.

  Attributes:
    u, v: [S, S] float32 coordinates of each pixel in the face's own frame: the
      middle of the head is (0, 0), v = -1 the crown and +1 the chin, and u
      grows to the right.
    turned: [S, S] float32, `u` shifted by the turn of the head: the eyes, nose
      and mouth are symmetric about turned = 0.
    noise: [S, S, 4] float32 of unit variance, for textures.
    strands: [S, S] float32 of unit variance and finer grain, for hair.
  """

  u: np.ndarray
  v: np.ndarray
  turned: np.ndarray
  noise: np.ndarray
  strands: np.ndarray


def face_coordinates(
  size: int, centre: np.ndarray, unit: float, roll: float
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the face coordinates (u, v) of each pixel's centre.

  Args:
    size: S, in pixels.
    centre: [2], the middle of the head (x, y) in pixels.
    unit: pixels per unit of the face's frame.
    roll: clockwise rotation of the head in radians.

  Returns:
    Two arrays, [S, S] float32.
  """
  along = np.arange(size, dtype=np.float32) + np.float32(0.5)
  x = ((along - np.float32(centre[0])) / np.float32(unit))[None, :]
  y = ((along - np.float32(centre[1])) / np.float32(unit))[:, None]
  cos, sin = np.float32(np.cos(roll)), np.float32(np.sin(roll))
  return cos * x + sin * y, cos * y - sin * x


def coverage(distance: np.ndarray, edge: float) -> np.ndarray:
  """Returns 1 inside a shape, 0 outside, and a ramp of width `edge` between.

  Args:
    distance: signed distance to the outline, negative inside.
    edge: width of the ramp, in the unit of `distance`.
  """
  return np.clip(np.float32(0.5) - distance * np.float32(1 / edge), 0, 1)


def ellipse(
  u: np.ndarray,
  v: np.ndarray,
  centre: tuple[float, float],
  radii: tuple[float, float],
  edge: float = 0.06,
) -> np.ndarray:
  """Returns the coverage of an ellipse, [S, S] in 0..1.

  Args:
    u, v: [S, S] float32 face coordinates.
    centre: (u, v).
    radii: along u and v.
    edge: width of the soft outline.
  """
  a = (u - np.float32(centre[0])) * np.float32(1 / radii[0])
  b = (v - np.float32(centre[1])) * np.float32(1 / radii[1])
  # (r^2 - 1) / 2 is r - 1 to first order at the edge, without a square root.
  return coverage((a * a + b * b - 1) * np.float32(min(radii) / 2), edge)


def paint(
  canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray | tuple[int, ...]
) -> None:
  """Paints a colour onto `canvas` [S, S, 3] in place, through `mask` [S, S].

  Args:
    canvas: the picture.
    mask: coverage in 0..1.
    colour: [3] or [S, S, 3].
  """
  canvas += mask[..., None] * (np.asarray(colour, np.float32) - canvas)


def shade(canvas: np.ndarray, mask: np.ndarray, amount: float) -> None:
  """Darkens `canvas` [S, S, 3] in place by a share of up to `amount`.

  Args:
    canvas: the picture.
    mask: [S, S], coverage in 0..1.
    amount: how much to darken, 0..1; a negative amount brightens.
  """
  canvas *= (1 - np.float32(amount) * mask)[..., None]
