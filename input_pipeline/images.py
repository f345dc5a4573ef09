"""Reads image files as RGB, resizes them and encodes them again."""

import os
from collections.abc import Callable

import cv2
import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.files import read_at_most
from input_pipeline.image_headers import (
  MAX_PIXELS,
  check_jpeg,
  check_webp,
)
from input_pipeline.image_kinds import BadImage, describe_content, image_kind
from input_pipeline.jpeg2000_images import decode_jpeg2000
from input_pipeline.pillow_images import decode_with_pillow
from input_pipeline.pixel_values import to_uint8
from input_pipeline.png_chunks import check_png, still_png
from input_pipeline.tiff_images import decode_tiff

# A file may have 8 bytes for each pixel of the largest image, and this many for
# the rest. Some files of /proc never end.
_OTHER_BYTES = 64 << 20

# Raises `BadImage` for a file that OpenCV would not decode as it should.
_OPENCV_CHECKS: dict[str, Callable[[bytes, int], None]] = {
  'jpeg': check_jpeg,
  'webp': check_webp,
}


def read_file(path: str | os.PathLike, max_pixels: int = MAX_PIXELS) -> bytes:
  """Returns the bytes of an image file.

  Args:
    path: the file.
    max_pixels: the most pixels an image may have; it limits the bytes as well.

  Raises:
    UserError: it is not a regular file, cannot be read or is too large.
  """
  limit = 8 * max_pixels + _OTHER_BYTES
  try:
    data = read_at_most(path, limit)
  except OSError as error:
    raise UserError(
      f'unreadable image: {os.fspath(path)}: {error.strerror}'
    ) from error
  if data is None:
    raise UserError(
      f'unreadable image: {os.fspath(path)}: over {limit} bytes, more than an '
      f'image of --max_pixels={max_pixels} has; raise the limit'
    )
  return data


def decode_file(
  data: bytes, name: str, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
  """Decodes the bytes of an image file; docs/data.md has the formats.

  Grey is repeated over the channels, palettes and CMYK become RGB, an alpha
  channel is dropped, other depths are rounded to 8 bits, and the orientation is
  applied. Colour profiles and gamma are ignored. The first frame or page is
  taken. A truncated file is refused in every format. Flipped bits are found in
  a PNG, which has checksums; most of them go unnoticed in a JPEG, as in every
  decoder.

  Args:
    data: the bytes of the file.
    name: its path, for the error.
    max_pixels: the most pixels an image may have; it is read from the header,
      before any memory is taken.

  Returns:
    uint8 [H, W, 3], RGB.

  Raises:
    UserError: the bytes are not an image, damaged, too large, or of a kind that
      is not decoded. The error says which.
  """
  try:
    kind = image_kind(data)
    if not kind:
      raise BadImage(describe_content(data))
    if kind == 'png':
      animated = check_png(data, max_pixels)
      return _decode_with_opencv(still_png(data) if animated else data)
    if kind in _OPENCV_CHECKS:
      _OPENCV_CHECKS[kind](data, max_pixels)
      return _decode_with_opencv(data)
    if kind == 'tiff':
      return decode_tiff(data, max_pixels)
    if kind == 'jpeg2000':
      return decode_jpeg2000(data, max_pixels)
    return decode_with_pillow(kind, data, max_pixels)
  except BadImage as error:
    raise UserError(f'unreadable image: {name}: {error}') from error


def _decode_with_opencv(data: bytes) -> np.ndarray:
  # ANYDEPTH keeps 16 bits, which OpenCV would truncate instead of rounding.
  flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH
  try:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  except cv2.error:  # more pixels than OpenCV allows
    image = None
  if image is None:
    raise BadImage('damaged')
  return to_uint8(image, 16) if image.dtype == np.uint16 else image


def load_image(
  path: str | os.PathLike, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
  """Reads and decodes an image file, uint8 [H, W, 3]; see `decode_file`."""
  data = read_file(path, max_pixels)
  return decode_file(data, os.fspath(path), max_pixels)


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
  """Resizes an image as the papers do: bilinear, without antialiasing.

  Args:
    image: uint8 [H, W, 3].
    size: S, pixels.

  Returns:
    uint8 [S, S, 3]; the image itself if it has that size.
  """
  if image.shape[:2] == (size, size):
    return np.ascontiguousarray(image)
  return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def encode_image(image: np.ndarray, encoding: str, quality: int) -> bytes:
  """Encodes an image as a file.

  Args:
    image: uint8 [H, W, 3], RGB.
    encoding: 'png' (lossless) or 'jpeg'.
    quality: the JPEG quality, 1 to 100.

  Raises:
    UserError: OpenCV fails to encode it, which only a lack of memory explains.
  """
  options = {
    'png': [],
    'jpeg': [cv2.IMWRITE_JPEG_QUALITY, quality],
  }[encoding]
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  encoded, content = cv2.imencode(f'.{encoding}', bgr, options)
  if not encoded:
    raise UserError(f'cannot encode a {encoding} image; free some memory')
  return content.tobytes()
