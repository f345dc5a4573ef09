"""Checks the chunks of PNG files, and removes their animation."""

import struct
import zlib
from collections.abc import Iterator

from input_pipeline.image_headers import PNG_SIGNATURE, check_size
from input_pipeline.image_kinds import BadImage

# The depths of each colour type of a PNG.
_PNG_DEPTHS = {
  0: (1, 2, 4, 8, 16),
  2: (8, 16),
  3: (1, 2, 4, 8),
  4: (8, 16),
  6: (8, 16),
}
# Compression, filter and interlacing.
_PNG_METHODS = ([0, 0, 0], [0, 0, 1])
# Compressed bytes of a PNG beyond twice those of its pixels.
_SPARE = 1 << 16
_PALETTE = 3  # the colour type
_ANIMATION = b'acTL'


def check_png(data: bytes, max_pixels: int) -> bool:
  """Checks a PNG's size and all its chunks; OpenCV skips some of them.

  Returns:
    Whether it is animated, see `still_png`.

  Raises:
    BadImage: the image is too large, or the file damaged or cut short.
  """
  seen, colour, left = set(), 0, 0
  for kind, content in _png_chunks(data):
    seen.add(kind)
    if kind == b'CgBI':
      raise BadImage('a PNG in the format of iPhone apps; convert it')
    if kind == b'IHDR':
      width, height, colour = _png_header(content)
      check_size(height, width, max_pixels)
      left = 16 * height * (width + 1) + _SPARE  # at most 8 bytes a pixel
    elif kind == b'IDAT':
      left -= len(content)
      if left < 0:  # OpenCV would decompress all of it, for minutes
        raise BadImage('damaged: more data than the image has pixels')
  needed = {b'IHDR', b'IDAT', *([b'PLTE'] if colour == _PALETTE else [])}
  if missing := sorted(needed - seen):
    raise BadImage(f'damaged: a PNG without {missing[0].decode()}')
  return _ANIMATION in seen


def still_png(data: bytes) -> bytes:
  """Returns a PNG without its animation.

  An animated PNG also holds a still image, which need not be one of the frames.
  Pillow and decoders without animations show the still image, OpenCV the first
  frame.
  """
  parts = [PNG_SIGNATURE]
  for kind, content in _png_chunks(data):
    if kind not in (_ANIMATION, b'fcTL', b'fdAT'):
      parts += [struct.pack('>I', len(content)), kind, content]
      parts.append(struct.pack('>I', zlib.crc32(content, zlib.crc32(kind))))
  return b''.join(parts)


def without_pixels(data: bytes) -> bytes:
  """Returns what a PNG holds beside its pixels, any other file as it is.

  To search a small image takes a tenth of the time that decoding it takes.
  """
  if not data.startswith(PNG_SIGNATURE):
    return data
  parts, position = [], len(PNG_SIGNATURE)
  while position + 12 <= len(data):
    (length,) = struct.unpack_from('>I', data, position)
    kind, end = data[position + 4 : position + 8], position + 12 + length
    if kind == b'IEND':
      break
    if kind != b'IDAT':
      parts.append(data[position:end])
    position = end
  return b''.join([*parts, data[position:]])


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
  """Yields the kind and the content of each chunk, with checked checksums."""
  view, position = memoryview(data), len(PNG_SIGNATURE)
  while position + 12 <= len(data):
    (length,) = struct.unpack_from('>I', data, position)
    end = position + 12 + length
    if end > len(data):
      break
    (crc,) = struct.unpack_from('>I', data, end - 4)
    if crc != zlib.crc32(view[position + 4 : end - 4]):
      raise BadImage(f'damaged at byte offset {position}')
    kind = data[position + 4 : position + 8]
    yield kind, view[position + 8 : end - 4]
    if kind == b'IEND':
      return
    position = end
  raise BadImage('the file is cut short')


def _png_header(header: memoryview) -> tuple[int, int, int]:
  """Returns width, height and colour type.

  Values that libpng would refuse are refused here, as libpng would also print
  a message.
  """
  if len(header) != 13:
    raise BadImage('damaged: a PNG without a header')
  width, height, depth, colour, *methods = struct.unpack('>IIBBBBB', header)
  if depth not in _PNG_DEPTHS.get(colour, ()) or methods not in _PNG_METHODS:
    raise BadImage(f'damaged: a PNG of {depth} bits and colour type {colour}')
  return width, height, colour
