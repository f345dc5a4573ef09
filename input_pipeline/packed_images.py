"""Decodes packed images straight into the rows of a batch.

imagecodecs writes into memory that it is given, and is faster than OpenCV. It
ignores orientations, so OpenCV decodes whatever is not plain: the pixels are
the same for every image.
"""

import functools
import struct
from collections.abc import Callable
from typing import Any

import cv2
import imagecodecs
import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.image_headers import PNG_SIGNATURE, probe, read_size
from input_pipeline.packed_format import SIZES

# Mostly the header of a JPEG ends within these bytes, before what differs from
# image to image.
_HEAD_BYTES = 176
_IHDR_END = 33
_IEND_BYTES = 12
_JPEG_END = b'\xff\xd9'
_CHUNK = struct.Struct('>I4s')

Decoder = Callable[..., Any]


def decode(encoded: bytes | memoryview) -> np.ndarray:
  """Decodes a packed image.

  Args:
    encoded: a PNG or JPEG.

  Returns:
    uint8 [S, S, 3], RGB.

  Raises:
    UserError: it is no image, or has more pixels than a packed one.
  """
  # A small file may claim an image that does not fit in memory.
  encoding, height, width = read_size(bytes(encoded))
  if not encoding or max(height, width) > SIZES[1]:
    raise _unreadable()
  try:
    buffer = np.frombuffer(encoded, np.uint8)
    image = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB)
  except cv2.error:  # raised for no bytes at all; other damage gives None
    image = None
  if image is None:
    raise _unreadable()
  return image


def decode_into(encoded: memoryview, out: np.ndarray) -> None:
  """Decodes a packed image into an array.

  Args:
    encoded: a PNG or JPEG.
    out: uint8 [S, S, 3], gets the pixels, RGB.

  Raises:
    UserError: it is no image, or has another shape than `out`.
  """
  decoder = fast_decoder(encoded, out.shape[0])
  if decoder is not None:
    try:
      decoder(encoded, out=out)
      return
    except (RuntimeError, ValueError):
      pass  # damaged or of a rare kind: OpenCV decides
  image = decode(encoded)
  if image.shape != out.shape:
    raise UserError(
      f'an image of shape {image.shape}, the description says {out.shape}; '
      'pack the data again'
    )
  out[:] = image


def fast_decoder(encoded: memoryview, size: int) -> Decoder | None:
  """Returns the function of imagecodecs that decodes an image as OpenCV does.

  Args:
    encoded: a PNG or JPEG.
    size: S.

  Returns:
    None unless the image is plain and of S x S pixels.
  """
  head = bytes(encoded[:_HEAD_BYTES])
  if head.startswith(PNG_SIGNATURE):
    plain = head.startswith(_plain_png_start(size)) and _has_only_pixels(
      encoded
    )
    return imagecodecs.png_decode if plain else None
  data = bytes(encoded)
  # imagecodecs takes a JPEG that was cut short, and ignores an orientation.
  if not data.endswith(_JPEG_END) or b'Exif' in data:
    return None
  plain = _is_plain_jpeg(head, size)
  # Other segments may come first.
  plain = plain or probe(data) == ('jpeg', size, size, True)
  return imagecodecs.jpeg8_decode if plain else None


@functools.lru_cache(maxsize=8)
def _plain_png_start(size: int) -> bytes:
  """Returns how a PNG of 8-bit RGB begins, one that is not interlaced."""
  header = struct.pack('>II5B', size, size, 8, 2, 0, 0, 0)
  return PNG_SIGNATURE + struct.pack('>I4s', 13, b'IHDR') + header


def _has_only_pixels(encoded: memoryview) -> bool:
  """Returns whether a PNG has no other chunk, such as one of orientation."""
  position, last = _IHDR_END, len(encoded) - _CHUNK.size
  while position <= last:
    length, kind = _CHUNK.unpack_from(encoded, position)
    if kind != b'IDAT':
      return kind == b'IEND' and position + _IEND_BYTES == len(encoded)
    position += _CHUNK.size + length + 4
  return False


# The images of one encoder mostly begin alike.
@functools.lru_cache(maxsize=64)
def _is_plain_jpeg(head: bytes, size: int) -> bool:
  """Returns whether a JPEG is 8-bit RGB of S x S pixels without orientation."""
  return probe(head) == ('jpeg', size, size, True)


def _unreadable() -> UserError:
  return UserError('a record holds no readable image; pack the data again')
