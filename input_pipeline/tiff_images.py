"""Decodes TIFF files; tifffile reads their samples.

OpenCV 4.14 returns memory of other pictures for 16-bit RGB, ignores that white
may be 0, and multiplies colours with alpha. Pillow truncates 16 bits to 8.
"""

import io
import logging
from typing import Any

import numpy as np

from input_pipeline.image_headers import (
  check_jpeg_part,
  check_size,
  check_webp,
)
from input_pipeline.image_kinds import BadImage, undecodable
from input_pipeline.pixel_values import (
  cmyk_to_rgb,
  to_uint8,
  turn_upright,
  without_alpha,
)

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_NEEDED_SAMPLES = {
  _WHITE_IS_ZERO: 1,
  _BLACK_IS_ZERO: 1,
  _RGB: 3,
  _PALETTE: 1,
  _CMYK: 4,
  _YCBCR: 3,
}
_JPEG, _WEBP = 7, 50001
# None, CCITT, LZW, JPEG, Deflate, PackBits, LZMA, Zstandard, WebP.
_COMPRESSIONS = (1, 2, 3, 4, 5, _JPEG, 8, 32946, 32773, 34925, 50000, _WEBP)
# Bytes of a value, by the type of the tag.
_TYPE_BYTES = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), 1))
_TYPE_BYTES |= {16: 8, 17: 8, 18: 8}
_UNSIGNED = 1
_VALUES = {2: 'int', 3: 'float', 5: 'complex int', 6: 'complex'}
_MOST_SAMPLES = 16  # of a pixel; unused ones are decoded too
_USUAL_SAMPLES = 5  # CMYK and alpha; the memory is reckoned for these
_INK_SET, _DNG_VERSION, _ORIENTATION = 332, 50706, 274
_REDUCED = 1  # the bit of NewSubfileType


def decode_tiff(data: bytes, max_pixels: int) -> np.ndarray:
  """Decodes the first page; see `images.decode_file`.

  Args:
    data: the bytes of the file.
    max_pixels: the most pixels a page may have.

  Returns:
    uint8 [H, W, 3], RGB.

  Raises:
    BadImage: the file cannot be decoded.
  """
  import tifffile  # late: few datasets have TIFF files

  # The library logs what it raises, and what it does not support.
  logging.getLogger('tifffile').setLevel(logging.CRITICAL)
  try:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
      page: Any = file.pages.first
      _check_whole(file.tiff, page.offset, data)
      _check_page(page, max_pixels)
      _check_parts(page, data, max_pixels)
      image = _to_rgb(page, _read_samples(page))
      orientation = page.tags.valueof(_ORIENTATION, 1)
  except BadImage:
    raise
  # The library raises any exception on a damaged file.
  except Exception as error:
    raise undecodable(error) from error
  return turn_upright(image, orientation)


def _check_whole(layout: Any, start: int, data: bytes) -> None:
  """Raises `BadImage` if the file ends before the page's tags do.

  The library would leave out a tag without a value.

  Args:
    layout: the sizes and formats of this kind of TIFF.
    start: the offset of the page's tags.
    data: the bytes of the file.
  """
  order = 'little' if layout.byteorder == '<' else 'big'

  def number(at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], order)

  count, wide = number(start, layout.tagnosize), layout.offsetsize
  first = start + layout.tagnosize
  # The place of the next page follows the tags.
  last = first + count * layout.tagsize
  end = last + wide
  for entry in range(first, min(last, len(data)), layout.tagsize):
    size = _TYPE_BYTES.get(number(entry + 2, 2), 0) * number(entry + 4, wide)
    if size > wide:
      end = max(end, number(entry + 4 + wide, wide) + size)
  if end > len(data):
    raise BadImage('the file is cut short')


def _check_page(page: Any, max_pixels: int) -> None:
  """Raises `BadImage` for a page that `_to_rgb` cannot convert."""
  check_size(page.imagelength, page.imagewidth, max_pixels)
  if page.is_tiled:
    check_size(page.tilelength, page.tilewidth, max_pixels)
  photometric, bits = int(page.photometric), page.bitspersample
  # The first page of a camera's raw file is a small preview.
  if page.subfiletype & _REDUCED or _DNG_VERSION in page.tags:
    raise BadImage("a camera's raw file; convert it to PNG or JPEG")
  if page.imagedepth != 1:
    raise BadImage('a volume, not an image')
  if photometric not in _NEEDED_SAMPLES:
    name = getattr(page.photometric, 'name', photometric)
    raise BadImage(f'a TIFF of {name} colours; convert it to RGB')
  if page.sampleformat != _UNSIGNED:
    kind = _VALUES.get(page.sampleformat, 'unknown')
    raise BadImage(f'{kind}{bits} values; convert it to 8 bits')
  if not isinstance(bits, int) or bits > 16:
    raise BadImage(f'uint{bits} values; convert it to 8 bits')
  if not _NEEDED_SAMPLES[photometric] <= page.samplesperpixel <= _MOST_SAMPLES:
    raise BadImage(f'{page.samplesperpixel} samples a pixel; convert it to RGB')
  pixels = page.imagelength * page.imagewidth
  if pixels * page.samplesperpixel > max_pixels * _USUAL_SAMPLES:
    raise BadImage(
      f'{pixels} pixels of {page.samplesperpixel} samples, more than '
      f'{_USUAL_SAMPLES} * --max_pixels={max_pixels}; shrink the image, or '
      'convert it to RGB'
    )
  if int(page.compression) not in _COMPRESSIONS:
    name = getattr(page.compression, 'name', page.compression)
    raise BadImage(f'a TIFF compressed by {name}; convert it to PNG')
  jpeg = int(page.compression) == _JPEG
  if photometric == _YCBCR and not jpeg:
    raise BadImage('a TIFF of YCbCr without JPEG; convert it to RGB')
  if photometric == _CMYK and (jpeg or page.tags.valueof(_INK_SET, 1) != 1):
    raise BadImage('a TIFF of these CMYK colours; convert it to RGB')


def _check_parts(page: Any, data: bytes, max_pixels: int) -> None:
  """Raises `BadImage` if a strip or tile is a larger image than the page.

  A JPEG or WebP has a size of its own, for which its decoder takes memory.
  """
  check = {_JPEG: check_jpeg_part, _WEBP: check_webp}.get(int(page.compression))
  if check is None:
    return
  for start, size in zip(page.dataoffsets, page.databytecounts, strict=False):
    if size:
      check(data[start : start + size], max_pixels)


def _read_samples(page: Any) -> np.ndarray:
  """Returns the samples as they are stored, [H, W, S].

  The library would put zeros where a strip or tile is missing.
  """
  height, width, count = page.imagelength, page.imagewidth, page.samplesperpixel
  image, decoded = None, 0
  for samples, (plane, _, top, left, _), _ in page.segments(maxworkers=1):
    if samples is None:
      raise BadImage('damaged: a part of the image is missing')
    if image is None:
      image = np.empty((height, width, count), samples.dtype)
    part = samples[0, : height - top, : width - left]
    here = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
    if part.shape[-1] == count:
      image[here] = part
    else:  # planes, one for each sample
      image[(*here, slice(plane, plane + 1))] = part
    decoded += part.size
  if image is None or decoded != image.size:
    raise BadImage('damaged: a part of the image is missing')
  return image


def _to_rgb(page: Any, samples: np.ndarray) -> np.ndarray:
  """Returns uint8 [H, W, 3] of the samples."""
  photometric, bits = int(page.photometric), page.bitspersample
  if photometric == _PALETTE:
    colours = np.asarray(page.colormap).T  # [2**bits, 3]
    # By the standard colours have 16 bits. Some programs write 8 bits.
    colours = (colours >> 8 if colours.max() > 255 else colours).astype(
      np.uint8
    )
    return colours[samples[..., 0].astype(np.uint16)]
  count = _NEEDED_SAMPLES[photometric]
  image = to_uint8(samples[..., :count], bits)
  if photometric == _CMYK:
    return cmyk_to_rgb(image)
  # 1: the colours were multiplied with alpha.
  if tuple(page.extrasamples[:1]) == (1,):
    image = without_alpha(image, to_uint8(samples[..., count], bits))
  if photometric == _WHITE_IS_ZERO:
    image = 255 - image
  return np.repeat(image, 3, axis=2) if count == 1 else image
