"""PNG, JPEG, WebP and GIF decode to the picture that is in them."""

import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from helpers.paths import ROOT
from helpers.picture_cases import (
  GREY,
  HEIGHT,
  RANDOM,
  RGB,
  RGBA,
  WIDTH,
  Case,
  check_case,
  repeat,
  saved,
  to8,
  with_opencv,
  with_pillow,
)
from helpers.picture_files import png, png_chunk


def png_cases():
  for interlaced in (False, True):
    way = ' interlaced' if interlaced else ''
    for depth in (1, 2, 4, 8, 16):
      top = 2**depth - 1
      # Pillow truncates 16 bits of more than one channel.
      off = int(depth == 16)
      grey = RANDOM.integers(0, top + 1, (HEIGHT, WIDTH, 1))
      key = png_chunk(b'tRNS', struct.pack('>H', int(grey[0, 0, 0])))
      for name, chunks in ('', b''), (' tRNS', key):
        data = png(grey, depth, 0, interlaced=interlaced, chunks=chunks)
        yield Case(
          f'PNG grey {depth}{name}{way}', data, repeat(to8(grey[..., 0], depth))
        )
      if depth <= 8:
        palette = RANDOM.integers(0, 256, (top + 1, 3))
        alpha = png_chunk(b'tRNS', bytes(range(top + 1)))
        for name, chunks in ('', b''), (' tRNS', alpha):
          data = png(
            grey,
            depth,
            3,
            interlaced=interlaced,
            palette=palette,
            chunks=chunks,
          )
          yield Case(
            f'PNG palette {depth}{name}{way}', data, palette[grey[..., 0]]
          )
      if depth >= 8:
        for name, colour, count in ('LA', 4, 2), ('RGB', 2, 3), ('RGBA', 6, 4):
          samples = RANDOM.integers(0, top + 1, (HEIGHT, WIDTH, count))
          picture = to8(samples, depth)
          yield Case(
            f'PNG {name} {depth}{way}',
            png(samples, depth, colour, interlaced=interlaced),
            repeat(picture[..., 0]) if count == 2 else picture[..., :3],
            other_tolerance=off,
          )
  profile = struct.pack('>I', 100000)
  for name, chunks in {
    'gAMA': png_chunk(b'gAMA', profile),
    'sRGB': png_chunk(b'sRGB', b'\0'),
    'sBIT': png_chunk(b'sBIT', b'\5\6\5'),
    'bKGD': png_chunk(b'bKGD', struct.pack('>3H', 9, 99, 199)),
    'tRNS': png_chunk(b'tRNS', struct.pack('>3H', *map(int, RGB[0, 0]))),
  }.items():
    yield Case(f'PNG RGB {name}', png(RGB, 8, 2, chunks=chunks), RGB)
  for name, array in ('RGB', RGB), ('RGBA', RGBA):
    frames = [Image.fromarray(255 - array), Image.fromarray(array // 2)]
    for other in False, True:  # whether the image is no frame
      data = saved(
        array,
        'PNG',
        save_all=True,
        append_images=frames,
        default_image=other,
      )
      yield Case(f'PNG {name} animated {other}', data, RGB)


def jpeg_cases():
  def case(name, data, tolerance=0):
    return Case(f'JPEG {name}', data, other_tolerance=tolerance)

  yield case('grey', saved(GREY, 'JPEG'))
  for number, name in enumerate(('4:4:4', '4:2:2', '4:2:0')):
    yield case(name, saved(RGB, 'JPEG', subsampling=number))
  yield case('progressive', saved(RGB, 'JPEG', progressive=True))
  yield case('restarts', saved(RGB, 'JPEG', restart_marker_blocks=2))
  yield case('RGB', saved(RGB, 'JPEG', keep_rgb=True))
  # Decoders round the product of inks differently.
  inks = Image.fromarray(RGBA, 'CMYK')
  yield case('CMYK', saved(inks, 'JPEG'), 2)
  ycck = imagecodecs.jpeg8_encode(
    RGBA, level=95, colorspace='CMYK', outcolorspace='YCCK'
  )
  yield case('YCCK', ycck, 2)
  data = (ROOT / 'tests' / 'data' / 'arithmetic.jpg').read_bytes()
  yield case('arithmetic', data)


def orientation_cases():
  for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x112] = orientation
    for format, options in {
      'JPEG': {'exif': exif},
      'PNG': {'exif': exif},
      'WEBP': {'exif': exif, 'lossless': True},
      'AVIF': {'exif': exif},
      'TIFF': {'tiffinfo': exif},
    }.items():
      data = saved(RGB, format, **options)
      yield Case(f'{format} orientation {orientation}', data)


def webp_cases():
  yield Case('WebP lossy', saved(RGB, 'WEBP'))
  yield Case('WebP lossless', saved(RGB, 'WEBP', lossless=True), RGB)
  yield Case('WebP lossy alpha', saved(RGBA, 'WEBP'))
  exact = {'lossless': True, 'exact': True}
  yield Case('WebP lossless alpha', saved(RGBA, 'WEBP', **exact), RGB)
  frames = {'save_all': True, 'append_images': [Image.fromarray(255 - RGB)]}
  yield Case('WebP animated', saved(RGB, 'WEBP', **frames, **exact), RGB)


def gif_cases():
  picture = Image.fromarray(RGB).quantize(64)
  expected = np.asarray(picture.convert('RGB'))
  first = int(np.asarray(picture)[0, 0])
  other = Image.fromarray(255 - RGB).quantize(32)
  for name, options, second in (
    ('', {}, with_opencv),
    (' interlaced', {'interlace': 1}, with_opencv),
    (' background', {'background': 5}, with_opencv),
    (' transparent', {'transparency': first}, with_pillow),
    (' animated', {'save_all': True, 'append_images': [other]}, with_opencv),
  ):
    data = saved(picture, 'GIF', **options)
    yield Case(f'GIF{name}', data, expected, second)
  yield Case('GIF grey', saved(GREY, 'GIF'), repeat(GREY), with_opencv)
  data = bytearray(saved(picture, 'GIF'))
  data[6:10] = struct.pack('<HH', WIDTH + 4, HEIGHT + 7)
  yield Case('GIF frame smaller than the image', bytes(data), None, with_opencv)


CASES = [
  *png_cases(),
  *jpeg_cases(),
  *orientation_cases(),
  *webp_cases(),
  *gif_cases(),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_a_file_decodes_to_the_picture_in_it(case):
  check_case(case)
