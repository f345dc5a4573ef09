"""Arithmetic on decoded pixels: bit depths, alpha and orientation."""

from collections.abc import Callable

import numpy as np

# Rows at a time, so that arrays of wide integers stay small.
_ROWS = 64


def to_uint8(values: np.ndarray, bits: int) -> np.ndarray:
  """Scales values from 0 to 2**bits - 1 to 0 to 255, rounded to the nearest.

  Args:
    values: integers [H, ...].
    bits: 1 to 16.

  Returns:
    uint8, of the same shape.
  """
  if bits == 8:
    return values.astype(np.uint8)
  top = 2**bits - 1
  return _by_rows(
    lambda rows: (rows.astype(np.uint32) * 510 + top) // (2 * top), values
  )


def without_alpha(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
  """Divides colours by the alpha that they were multiplied with.

  Colours of alpha 0 stay as they are.

  Args:
    image: uint8 [H, W, C].
    alpha: uint8 [H, W].
  """
  both = np.dstack([image, alpha])

  def divide(rows: np.ndarray) -> np.ndarray:
    colour, by = rows[..., :-1].astype(np.uint32), rows[..., -1:]
    by = np.where(by == 0, 255, by).astype(np.uint32)
    return np.minimum((colour * 510 + by) // (2 * by), 255)

  return _by_rows(divide, both, channels=image.shape[-1])


def cmyk_to_rgb(image: np.ndarray) -> np.ndarray:
  """Returns the colours of four inks on white paper, uint8 [H, W, 3].

  Args:
    image: uint8 [H, W, 4]; 255 is all of an ink.
  """

  def mix(rows: np.ndarray) -> np.ndarray:
    left = 255 - rows.astype(np.uint32)  # the light that each ink leaves
    return (left[..., :3] * left[..., 3:] + 127) // 255

  return _by_rows(mix, image, channels=3)


def turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
  """Turns and mirrors an image by its EXIF or TIFF orientation, 1 to 8.

  Any other number is taken for 1, as decoders do.
  """
  if orientation in (5, 6, 7, 8):
    image = image.swapaxes(0, 1)
  if orientation in (3, 4, 7, 8):
    image = image[::-1]
  if orientation in (2, 3, 6, 7):
    image = image[:, ::-1]
  return np.ascontiguousarray(image)


def _by_rows(
  function: Callable[[np.ndarray], np.ndarray],
  values: np.ndarray,
  channels: int | None = None,
) -> np.ndarray:
  """Applies a function to some rows at a time; the results are uint8."""
  shape = values.shape if channels is None else (*values.shape[:-1], channels)
  result = np.empty(shape, np.uint8)
  for start in range(0, len(values), _ROWS):
    result[start : start + _ROWS] = function(values[start : start + _ROWS])
  return result
