"""Pictures in files of many formats, to compare decoders by.

A case has a file and the picture in it. `expected` is the array that was
written; files of a lossy format are compared with a second decoder alone.
"""

import dataclasses
import io
from collections.abc import Callable

import cv2
import numpy as np
import PIL.ImageOps
from PIL import Image

from input_pipeline import images

HEIGHT, WIDTH = 21, 26
RANDOM = np.random.default_rng(0)
# Smooth, so that lossy formats stay near; of all values from 0 to 255.
_noise = RANDOM.normal(size=(HEIGHT, WIDTH, 4))
_noise = cv2.GaussianBlur(_noise, (0, 0), 3)
_low, _high = _noise.min((0, 1)), _noise.max((0, 1))
PICTURE = (255 * (_noise - _low) / (_high - _low)).round().astype(np.uint8)
RGB, GREY = PICTURE[..., :3].copy(), PICTURE[..., 0].copy()
ALPHA = PICTURE[..., 3].copy()
RGBA = PICTURE


def repeat(grey):
  return np.repeat(grey[..., None], 3, axis=2)


def to8(values, bits):
  return np.floor(values / (2**bits - 1) * 255 + 0.5).astype(np.uint8)


def deep(values, bits):
  """Returns values of 8 bits as `bits` bits; the low ones are noise."""
  noise = RANDOM.integers(0, 2**16, values.shape)
  return ((values.astype(np.int64) << 8 | noise & 0xFF) >> 16 - bits).astype(
    np.uint16
  )


def with_pillow(data):
  image = PIL.ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
  if image.mode.startswith('I'):
    return repeat(to8(np.asarray(image).astype(float), 16))
  if image.mode in ('LA', 'La'):
    image = image.getchannel(0)
  if image.mode == 'RGBA':
    return np.asarray(image)[..., :3]
  if image.mode == 'P':  # leaves transparency out
    colours = np.zeros((256, 3), np.uint8)
    given = np.array(image.getpalette('RGB'), np.uint8).reshape(-1, 3)
    colours[: len(given)] = given
    return colours[np.asarray(image)]
  return np.asarray(image.convert('RGB'))


def with_opencv(data):
  flags = cv2.IMREAD_UNCHANGED
  image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  if image.dtype == np.uint16:
    image = to8(image.astype(float), 16)
  return repeat(image) if image.ndim == 2 else image[..., 2::-1]


@dataclasses.dataclass(frozen=True)
class Case:
  """A file, what is in it, another decoder, and how far they may differ."""

  name: str
  data: bytes
  expected: np.ndarray | None = None
  other: Callable[[bytes], np.ndarray] | None = with_pillow
  tolerance: int = 0
  other_tolerance: int = 0


def saved(array, format, mode=None, **options):
  image = array if isinstance(array, Image.Image) else Image.fromarray(array)
  stream = io.BytesIO()
  (image if mode is None else image.convert(mode)).save(
    stream, format, **options
  )
  return stream.getvalue()


def check_case(case):
  """Compares our decoder with the array, and with the second decoder."""
  decoded = images.decode_file(case.data, 'x')
  assert decoded.dtype == np.uint8 and decoded.flags.c_contiguous
  pictures = [(case.expected, case.tolerance)]
  if case.other is not None:
    pictures.append((case.other(case.data), case.other_tolerance))
  pictures = [(p, tolerance) for p, tolerance in pictures if p is not None]
  assert pictures
  for picture, tolerance in pictures:
    assert decoded.shape == picture.shape
    difference = np.abs(decoded.astype(int) - picture.astype(int))
    assert difference.max() <= tolerance
