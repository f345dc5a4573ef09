"""Decodes BMP, GIF, AVIF, HEIC and PNM files with Pillow.

OpenCV 4.14 decodes some of these wrongly, without an error: 16-bit BMP becomes
dark, unusual bit fields are read as the usual ones, transparent pixels of a GIF
get a colour, and 10- and 12-bit AVIF become nearly black.
"""

import importlib.util
import io
from typing import Any

import numpy as np
from PIL import (
  AvifImagePlugin,
  BmpImagePlugin,
  GifImagePlugin,
  Image,
  ImageOps,
  PpmImagePlugin,
)

from input_pipeline.errors import UserError
from input_pipeline.image_headers import check_gif, check_size
from input_pipeline.image_kinds import BadImage, undecodable
from input_pipeline.pixel_values import to_uint8

# Not `Image.open`, which would try other formats, and has its own limit on the
# number of pixels.
_PLUGINS: dict[str, Any] = {
  'bmp': BmpImagePlugin.BmpImageFile,
  'gif': GifImagePlugin.GifImageFile,
  'avif': AvifImagePlugin.AvifImageFile,
  'pnm': PpmImagePlugin.PpmImageFile,
}

HEIC_REMEDY = (
  'a HEIC image; `pip install pi-heif`, or convert it to PNG or JPEG'
)


def can_decode_heic() -> bool:
  """Returns whether the package that HEIC needs is installed."""
  return importlib.util.find_spec('pi_heif') is not None


def decode_with_pillow(kind: str, data: bytes, max_pixels: int) -> np.ndarray:
  """Decodes the first frame; see `images.decode_file`.

  Args:
    kind: 'bmp', 'gif', 'avif', 'heic' or 'pnm'.
    data: the bytes of the file.
    max_pixels: the most pixels an image may have.

  Returns:
    uint8 [H, W, 3], RGB.

  Raises:
    BadImage: the file cannot be decoded.
  """
  if kind == 'gif':
    check_gif(data, max_pixels)
  plugin = _heic_plugin() if kind == 'heic' else _PLUGINS[kind]
  try:
    with plugin(io.BytesIO(data)) as image:
      check_size(image.height, image.width, max_pixels)
      return _pixels(ImageOps.exif_transpose(image))
  except BadImage:
    raise
  # A plugin raises any exception on a damaged file.
  except Exception as error:
    raise undecodable(error) from error


def decoded_pixels(image: Image.Image, name: str) -> np.ndarray:
  """Returns the pixels of a Pillow image, as those of a file are decoded.

  The orientation of its EXIF is applied, an alpha channel is dropped.

  Args:
    image: the image, opened or made.
    name: names it in the error.

  Returns:
    uint8 [H, W, 3], RGB.

  Raises:
    UserError: it has no pixels, it is damaged, or of a mode that is not
      decoded.
  """
  try:
    if not image.width * image.height:
      raise BadImage('it has no pixels')
    return _pixels(ImageOps.exif_transpose(image))
  except BadImage as error:
    raise UserError(f'unreadable image: {name}: {error}') from error
  # The file behind it may be damaged in any way.
  except Exception as error:
    bad = undecodable(error)
    raise UserError(f'unreadable image: {name}: {bad}') from error


def _pixels(image: Any) -> np.ndarray:
  """Returns the colours as they are stored, without alpha."""
  if image.mode.startswith('I'):  # 16 bits
    return np.repeat(to_uint8(np.asarray(image), 16)[..., None], 3, axis=2)
  if image.mode == 'F':
    raise BadImage('float32 values; convert it to 8 bits')
  if image.mode in ('RGBA', 'RGBX'):  # `convert` gives the same, but slower
    return np.ascontiguousarray(np.asarray(image)[..., :3])
  if image.mode == 'LA':
    image = image.getchannel('L')
  return np.array(image.convert('RGB'))


def _heic_plugin() -> Any:
  if not can_decode_heic():
    raise BadImage(HEIC_REMEDY)
  from pi_heif.as_plugin import HeifImageFile

  return HeifImageFile
