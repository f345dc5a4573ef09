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

_IHDR_END = 33
_IEND_BYTES = 12
_CHUNK = struct.Struct('>I4s')
_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
# A segment of a JPEG: a marker, which begins with one byte, and a length.
_MARKER, _SEGMENT = 0xFF, struct.Struct('>2sH')
# The marker before the pixels of a JPEG.
_JPEG_SCAN = b'\xff\xda'
# Longer headers of JPEG are not kept. Most have less than 1 kB, with a colour
# profile 4 kB.
_MOST_KEPT = 2**13

Decoder = Callable[..., Any]


# Size -> the header of the last plain JPEG of that size, with `_JPEG_SCAN`. The
# images of one encoder mostly begin alike. Threads may replace it at any time.
_last_header: dict[int, bytes] = {}


def decode(encoded: bytes) -> np.ndarray:
  """Decodes a packed image.

  Args:
    encoded: a PNG or JPEG.

  Returns:
    uint8 [S, S, 3], RGB.

  Raises:
    UserError: it is no image, or has more pixels than a packed one.
  """
  # A small file may claim an image that does not fit in memory.
  encoding, height, width = read_size(encoded)
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


def decode_into(data: bytes, start: int, stop: int, out: np.ndarray) -> None:
  """Decodes a packed image into an array.

  Args:
    data: holds a PNG or JPEG.
    start: where it begins in `data`.
    stop: where it ends.
    out: uint8 [S, S, 3], gets the pixels, RGB.

  Raises:
    UserError: it is no image, or has another shape than `out`.
  """
  decoder = fast_decoder(data, start, stop, len(out))
  if decoder is not None:
    try:
      decoder(memoryview(data)[start:stop], out=out)
      return
    except (RuntimeError, ValueError):
      pass  # damaged or of a rare kind: OpenCV decides
  image = decode(data[start:stop])
  if image.shape != out.shape:
    raise UserError(
      f'an image of shape {image.shape}, the description says {out.shape}; '
      'pack the data again'
    )
  out[:] = image


def fast_decoder(
  data: bytes, start: int, stop: int, size: int
) -> Decoder | None:
  """Returns the function of imagecodecs that decodes an image as OpenCV does.

  Args:
    data: holds a PNG or JPEG.
    start: where it begins in `data`.
    stop: where it ends.
    size: S.

  Returns:
    None unless the image is plain and of S x S pixels.
  """
  # imagecodecs takes a JPEG that was cut short.
  if data.endswith(_JPEG_END, start, stop):
    last = _last_header.get(size, _JPEG_END)
    if data.startswith(last, start, stop):
      return imagecodecs.jpeg8_decode
    plain = _begins_plain_jpeg(data, start, stop, size)
    return imagecodecs.jpeg8_decode if plain else None
  if data.startswith(_plain_png_start(size), start, stop):
    plain = _has_only_pixels(data, start, stop)
    return imagecodecs.png_decode if plain else None
  return None


@functools.lru_cache(maxsize=8)
def _plain_png_start(size: int) -> bytes:
  """Returns how a PNG of 8-bit RGB begins, one that is not interlaced."""
  header = struct.pack('>II5B', size, size, 8, 2, 0, 0, 0)
  return PNG_SIGNATURE + struct.pack('>I4s', 13, b'IHDR') + header


def _has_only_pixels(data: bytes, start: int, stop: int) -> bool:
  """Returns whether a PNG has no other chunk, such as one of orientation."""
  position, last = start + _IHDR_END, stop - _CHUNK.size
  while position <= last:
    length, kind = _CHUNK.unpack_from(data, position)
    if kind != b'IDAT':
      return kind == b'IEND' and position + _IEND_BYTES == stop
    position += _CHUNK.size + length + 4
  return False


def _begins_plain_jpeg(data: bytes, start: int, stop: int, size: int) -> bool:
  """Returns whether a JPEG is 8-bit RGB of S x S pixels without orientation.

  What follows the header is not searched: OpenCV heeds no orientation there.
  """
  scan = data.find(_JPEG_SCAN, start, stop)
  header = data[start : max(scan, start)]
  if len(header) > _MOST_KEPT:
    return _is_plain_header.__wrapped__(header, size)
  plain = _is_plain_header(header, size)
  if plain:
    _last_header[size] = header + _JPEG_SCAN
  return plain


# For data of several encoders, or with tables for each image.
@functools.lru_cache(maxsize=64)
def _is_plain_header(header: bytes, size: int) -> bool:
  """Returns whether bytes are the whole header of a plain JPEG of S x S."""
  plain = probe(header) == ('jpeg', size, size, True)
  return plain and _end_of_segments(header) == len(header)


def _end_of_segments(header: bytes) -> int:
  """Returns where the segments of a JPEG's header end.

  Where that is not the end, the marker found after it belongs to a segment.
  """
  position, last = len(_JPEG_START), len(header) - _SEGMENT.size
  while position <= last and header[position] == _MARKER:
    _, length = _SEGMENT.unpack_from(header, position)
    position += 2 + length
  return position


def _unreadable() -> UserError:
  return UserError('a record holds no readable image; pack the data again')
