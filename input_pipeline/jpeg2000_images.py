"""Decodes JPEG 2000 files with imagecodecs, which wraps OpenJPEG.

OpenCV 4.14 leaves 10 and 12 bits unscaled, and Pillow 13 turns 65535 into 0.
"""

import struct

import numpy as np

from input_pipeline.image_headers import check_size
from input_pipeline.image_kinds import BadImage, undecodable
from input_pipeline.pixel_values import to_uint8

_CODESTREAM = b'\xff\x4f\xff\x51'  # the start, and the marker of the sizes
# Values of the colour box: sRGB, grey, sYCC.
_COLOURS = (16, 17, 18)


def decode_jpeg2000(data: bytes, max_pixels: int) -> np.ndarray:
  """Decodes a .jp2 or .j2k file; see `images.decode_file`.

  Args:
    data: the bytes of the file.
    max_pixels: the most pixels an image may have.

  Returns:
    uint8 [H, W, 3], RGB.

  Raises:
    BadImage: the file cannot be decoded.
  """
  bits = _check_header(data, max_pixels)
  import imagecodecs  # late: few datasets have such files

  try:
    image = np.asarray(imagecodecs.jpeg2k_decode(data))
  # The library raises any exception on a damaged file.
  except Exception as error:
    raise undecodable(error) from error
  if image.ndim == 2:
    image = image[..., None]
  image = to_uint8(image[..., : 3 if image.shape[-1] >= 3 else 1], bits)
  return np.repeat(image, 3, axis=2) if image.shape[-1] == 1 else image


def _check_header(data: bytes, max_pixels: int) -> int:
  """Returns the bits of a sample; raises `BadImage` for what is not decoded."""
  start, header = _find_parts(data)
  sizes = data[start + 8 : start + 42]
  if not data.startswith(_CODESTREAM, start) or len(sizes) < 34:
    raise BadImage('damaged: a JPEG 2000 file without an image')
  right, bottom, left, top = struct.unpack_from('>4I', sizes)
  check_size(bottom - top, right - left, max_pixels)
  (count,) = struct.unpack_from('>H', sizes, 32)
  parts = data[start + 42 : start + 42 + 3 * count]
  if len(parts) < 3 * count:
    raise BadImage('the file is cut short')
  depths = set(parts[::3])
  if not 1 <= count <= 4:
    raise BadImage(f'a JPEG 2000 image of {count} channels; convert it to RGB')
  if len(depths) != 1:
    raise BadImage('a JPEG 2000 image of several depths; convert it to 8 bits')
  (depth,) = depths
  if depth & 0x80 or depth + 1 > 16:
    raise BadImage(
      'a JPEG 2000 image of signed values or over 16 bits; convert it to 8 bits'
    )
  box = header.find(b'colr')
  if box >= 0 and len(header) >= box + 11 and header[box + 4] == 1:
    (colours,) = struct.unpack_from('>I', header, box + 7)
    if colours not in _COLOURS:
      raise BadImage(
        f'a JPEG 2000 image of colour space {colours}; convert it to RGB'
      )
  return depth + 1


def _find_parts(data: bytes) -> tuple[int, bytes]:
  """Returns the offset of the codestream, and the header box before it.

  The boxes are followed, as other ones may contain the same bytes.
  """
  position, header = 0, b''
  while position + 8 <= len(data) and not data.startswith(
    _CODESTREAM, position
  ):
    size, kind = struct.unpack_from('>I4s', data, position)
    content = position + 8
    if size == 1:  # the size follows
      size = int.from_bytes(data[content : content + 8], 'big')
      content += 8
    if kind == b'jp2c':
      return content, header
    if kind == b'jp2h':
      header = data[content : position + size]
    if size < content - position:  # 0: to the end of the file
      break
    position += size
  return position, header
