"""Checks the headers of image files, without decoding an image.

A small file may claim an image that does not fit in memory.
"""

import struct

from input_pipeline.image_kinds import BadImage

# The most pixels of an image that is decoded, unless asked for otherwise:
# photographs of 108 megapixels pass. Decoding takes 6 to 24 bytes a pixel.
MAX_PIXELS = 1 << 27
# The limit can be raised to this, which is also OpenCV's own limit.
LARGEST_LIMIT = 1 << 30
# In pixels; OpenCV decodes no image with a longer side.
_MAX_SIDE = 1 << 20

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
# Start-of-frame markers: baseline, extended, progressive and the rarer kinds.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_DCT = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # the kinds that can be decoded
# The most scans of a JPEG; encoders write about ten. Each takes as long as an
# image, but few bytes, so a small file could keep a decoder busy for hours.
_MAX_SCANS = 200
# Markers that no segment follows.
_NO_SEGMENT = {0x00, 0x01, *range(0xD0, 0xD9)}
_RGB_PNG = 2  # the colour type without palette or alpha


def check_size(height: int, width: int, max_pixels: int) -> None:
  """Raises `BadImage` for an image without pixels or with too many."""
  if height < 1 or width < 1:
    raise BadImage(f'it has {width} x {height} pixels')
  if height * width > max_pixels:
    raise BadImage(
      f'{width} x {height} pixels, more than --max_pixels={max_pixels}; shrink '
      'the image or raise the limit'
    )
  if max(height, width) > _MAX_SIDE:
    raise BadImage(f'{width} x {height} pixels; a side may have {_MAX_SIDE}')


def probe(data: bytes) -> tuple[str, int, int, bool]:
  """Reads the header of a PNG or JPEG file without decoding the image.

  Args:
    data: the first bytes of the file.

  Returns:
    (encoding, height, width, plain). `encoding` is 'png', 'jpeg' or '' if the
    bytes are neither. `plain` is True for 8-bit RGB without an orientation or
    animation: all decoders read the same pixels from such a file.
  """
  encoding, height, width = read_size(data)
  if encoding == 'png':
    # Orientation, animation and a transparent colour: decoders treat these in
    # different ways.
    special = b'eXIf' in data or b'acTL' in data or b'tRNS' in data
    depth, colour = data[24], data[25]
    plain = (depth, colour) == (8, _RGB_PNG) and not special
  elif frame := _jpeg_frame(data):
    _, depth, _, _, channels, exif, position = frame
    # It may also follow the frame.
    exif = exif or b'Exif' in data[position:]
    plain = (depth, channels, exif) == (8, 3, False)
  else:
    plain = False
  return encoding, height, width, plain


def read_size(data: bytes) -> tuple[str, int, int]:
  """Reads what `probe` does but for `plain`, which takes a scan of the file.

  Args:
    data: the first bytes of the file.

  Returns:
    (encoding, height, width), see `probe`.
  """
  if data.startswith(PNG_SIGNATURE) and len(data) >= 33:
    width, height = struct.unpack_from('>II', data, 16)
    return 'png', height, width
  if frame := _jpeg_frame(data):
    return 'jpeg', frame[2], frame[3]
  return '', 0, 0


def check_jpeg(data: bytes, max_pixels: int) -> None:
  """Checks a JPEG's size and kind.

  Raises:
    BadImage: the image is too large, has too many scans, or is of a kind that
      is not decoded.
  """
  frame = _jpeg_frame(data, skip_other=True)
  if frame is None:
    raise BadImage('damaged: a JPEG without an image')
  marker, depth, height, width, channels, _, position = frame
  check_size(height, width, max_pixels)
  if marker not in _JPEG_DCT:
    raise BadImage('a lossless or hierarchical JPEG; convert it to PNG')
  if depth != 8:
    raise BadImage(f'a JPEG of {depth} bits; convert it to 8 bits')
  if channels not in (1, 3, 4):
    raise BadImage(f'a JPEG of {channels} channels; convert it to RGB')
  # Other files may follow the end of the image.
  end = data.find(b'\xff\xd9', position)
  scans = data.count(b'\xff\xda', position, end if end >= 0 else len(data))
  if scans > _MAX_SCANS:
    raise BadImage(f'a JPEG of {scans} scans; at most {_MAX_SCANS} are decoded')


def check_jpeg_part(data: bytes, max_pixels: int) -> None:
  """Checks the size of a JPEG in a TIFF, which may lack the tables.

  Raises:
    BadImage: the image is too large.
  """
  if frame := _jpeg_frame(data, skip_other=True):
    check_size(frame[2], frame[3], max_pixels)


def check_webp(data: bytes, max_pixels: int) -> None:
  """Checks a WebP's size.

  Raises:
    BadImage: the image is too large, or the file cut short.
  """
  if len(data) < 30:
    raise BadImage('the file is cut short')
  kind, little = data[12:16], 'little'
  if kind == b'VP8X':
    width = int.from_bytes(data[24:27], little) + 1
    height = int.from_bytes(data[27:30], little) + 1
  elif kind == b'VP8L':
    bits = int.from_bytes(data[21:25], little)
    width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
  else:
    width = int.from_bytes(data[26:28], little) & 0x3FFF
    height = int.from_bytes(data[28:30], little) & 0x3FFF
  check_size(height, width, max_pixels)


def check_gif(data: bytes, max_pixels: int) -> None:
  """Checks a GIF's size, and that no block of it is missing.

  Raises:
    BadImage: the image is too large, a frame lies outside of it, or the file is
      cut short.
  """
  if len(data) < 13:
    raise BadImage('the file is cut short')
  width, height, flags = struct.unpack_from('<HHB', data, 6)
  check_size(height, width, max_pixels)
  position = 13 + _table_bytes(flags)
  while position < len(data) and data[position] != 0x3B:  # the trailer
    if data[position] == 0x2C and position + 10 <= len(data):  # a frame
      left, top, across, down, flags = struct.unpack_from(
        '<HHHHB', data, position + 1
      )
      if left + across > width or top + down > height:
        raise BadImage('damaged: a frame lies outside the image')
      position += 11 + _table_bytes(flags)  # with the code size
    elif data[position] == 0x21:  # an extension
      position += 2
    else:
      raise BadImage(f'damaged at byte offset {position}')
    while position < len(data) and data[position]:
      position += 1 + data[position]
    position += 1
  if position >= len(data):
    raise BadImage('the file is cut short')


def _table_bytes(flags: int) -> int:
  """Returns the size of the colour table that follows a GIF's flags."""
  return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _jpeg_frame(
  data: bytes, *, skip_other: bool = False
) -> tuple[int, int, int, int, int, bool, int] | None:
  """Reads the frame of a JPEG.

  Args:
    data: the first bytes of the file.
    skip_other: go on after bytes that belong to no segment, as decoders do.

  Returns:
    Its marker, depth, height, width and channels, whether EXIF precedes it, and
    its offset. None if the bytes are no JPEG, or have no frame.
  """
  if not data.startswith(b'\xff\xd8'):
    return None
  position, exif = 2, False
  while position + 10 <= len(data):
    marker = data[position + 1]
    if data[position] != 0xFF or (skip_other and marker in _NO_SEGMENT):
      if not skip_other:
        return None
      position = data.find(b'\xff', position + 1)
      if position < 0:
        return None
      continue
    if marker == 0xFF:  # padding
      position += 1
      continue
    (length,) = struct.unpack_from('>H', data, position + 2)
    if marker in _JPEG_FRAMES or marker == 0xF7:  # 0xF7: JPEG-LS
      frame = struct.unpack_from('>BHHB', data, position + 4)
      return marker, *frame, exif, position
    exif |= marker == 0xE1 and data[position + 4 : position + 8] == b'Exif'
    position += 2 + length
  return None
