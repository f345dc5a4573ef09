"""Reads image files as RGB, resizes them and encodes them again."""

import os
import struct
import zlib

import cv2
import numpy as np

from input_pipeline.errors import UserError

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
# Start-of-frame markers: baseline, extended, progressive and the rarer kinds.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_RGB_PNG = 2  # the colour type without palette or alpha


def read_file(path: str | os.PathLike) -> bytes:
  """Returns the bytes of an image file.

  Raises:
    UserError: the file cannot be read.
  """
  try:
    with open(path, 'rb') as file:
      return file.read()
  except OSError as error:
    raise UserError(
      f'unreadable image: {os.fspath(path)}: {error.strerror}'
    ) from error


def decode_file(data: bytes, name: str) -> np.ndarray:
  """Decodes the bytes of an image file.

  Grey is repeated over the channels, palettes and CMYK become RGB, an alpha
  channel is dropped, 16 bits are rounded to 8, and the EXIF orientation is
  applied. The first frame of an animation is taken. A truncated file is refused
  in every format. Flipped bits are found in a PNG, which has checksums; most of
  them go unnoticed in a JPEG, as with any decoder.

  Args:
    data: the bytes of the file.
    name: its path, for the error.

  Returns:
    uint8 [H, W, 3], RGB.

  Raises:
    UserError: the bytes are not an image, damaged, or not 8 or 16 bits deep.
  """
  if data.startswith(PNG_SIGNATURE):
    _check_png(data, name)
  # ANYDEPTH keeps 16 bits, which OpenCV would truncate instead of rounding.
  flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH
  try:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  except cv2.error:  # no bytes at all, or more pixels than OpenCV allows
    image = None
  if image is None:
    what = 'the file is empty' if not data else 'damaged or not an image'
    raise UserError(f'unreadable image: {name}: {what}')
  if image.dtype == np.uint16:
    # 65535 / 255 = 257, and half of it rounds to the nearest value.
    image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
  if image.dtype != np.uint8:
    raise UserError(
      f'unreadable image: {name}: {image.dtype} values; convert it to 8 bits'
    )
  return image


def load_image(path: str | os.PathLike) -> np.ndarray:
  """Reads and decodes an image file, uint8 [H, W, 3]; see `decode_file`."""
  return decode_file(read_file(path), os.fspath(path))


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
  """Resizes an image as the papers do: bilinear, without antialiasing.

  Args:
    image: uint8 [H, W, 3].
    size: S, pixels.

  Returns:
    uint8 [S, S, 3].
  """
  return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def encode_image(image: np.ndarray, encoding: str, quality: int) -> bytes:
  """Encodes an image as a file.

  Args:
    image: uint8 [H, W, 3], RGB.
    encoding: 'png' (lossless) or 'jpeg'.
    quality: the JPEG quality, 1 to 100.
  """
  options = {
    'png': [],
    'jpeg': [cv2.IMWRITE_JPEG_QUALITY, quality],
  }[encoding]
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  return cv2.imencode(f'.{encoding}', bgr, options)[1].tobytes()


def probe(data: bytes) -> tuple[str, int, int, bool]:
  """Reads the header of a PNG or JPEG file without decoding the image.

  Args:
    data: the first bytes of the file.

  Returns:
    (encoding, height, width, plain). `encoding` is 'png', 'jpeg' or '' if the
    bytes are neither. `plain` is True for 8-bit RGB without an orientation or
    animation: all decoders read the same pixels from such a file.
  """
  if data.startswith(PNG_SIGNATURE) and len(data) >= 33:
    width, height, depth, colour = struct.unpack('>IIBB', data[16:26])
    # Orientation, animation and a transparent colour: decoders treat these in
    # different ways.
    special = b'eXIf' in data or b'acTL' in data or b'tRNS' in data
    plain = (depth, colour) == (8, _RGB_PNG) and not special
    return 'png', height, width, plain
  if data.startswith(b'\xff\xd8'):
    return _probe_jpeg(data)
  return '', 0, 0, False


def _probe_jpeg(data: bytes) -> tuple[str, int, int, bool]:
  position, exif = 2, False
  while position + 10 <= len(data) and data[position] == 0xFF:
    marker = data[position + 1]
    if marker == 0xFF:  # padding
      position += 1
      continue
    (length,) = struct.unpack_from('>H', data, position + 2)
    if marker in _JPEG_FRAMES:
      depth, height, width, channels = struct.unpack_from(
        '>BHHB', data, position + 4
      )
      return 'jpeg', height, width, (depth, channels, exif) == (8, 3, False)
    exif |= marker == 0xE1 and data[position + 4 : position + 8] == b'Exif'
    position += 2 + length
  return '', 0, 0, False


def _check_png(data: bytes, name: str) -> None:
  """Verifies the checksums of all chunks; OpenCV ignores some of them."""
  position = len(PNG_SIGNATURE)
  while position + 12 <= len(data):
    (length,) = struct.unpack_from('>I', data, position)
    end = position + 12 + length
    if end > len(data):
      break
    (crc,) = struct.unpack_from('>I', data, end - 4)
    if crc != zlib.crc32(data[position + 4 : end - 4]):
      raise UserError(
        f'unreadable image: {name}: damaged at byte offset {position}'
      )
    if data[position + 4 : position + 8] == b'IEND':
      return
    position = end
  raise UserError(f'unreadable image: {name}: the file is cut short')
