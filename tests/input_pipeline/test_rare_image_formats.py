"""BMP, AVIF, JPEG 2000 and PNM decode to the picture that is in them."""

import struct

import imagecodecs
import numpy as np
import pytest

from helpers.picture_cases import (
  GREY,
  HEIGHT,
  PICTURE,
  RANDOM,
  RGB,
  RGBA,
  WIDTH,
  Case,
  check_case,
  deep,
  repeat,
  saved,
  to8,
  with_opencv,
  with_pillow,
)
from helpers.picture_files import bmp, packed_bits


def with_imagecodecs(bits):
  def decode(data):
    decoder = imagecodecs.avif_decode if b'ftypavif' in data[:16] else None
    image = (decoder or imagecodecs.jpeg2k_decode)(data)
    image = to8(image.astype(float), bits)
    return repeat(image) if image.ndim == 2 else image[..., :3]

  return decode


def bmp_cases():
  colours = RANDOM.integers(0, 256, (16, 4)).astype(np.uint8)
  palette = colours.tobytes()
  index = RANDOM.integers(0, 16, (HEIGHT, WIDTH)).astype(np.uint8)
  up = index[::-1]
  picture = colours[index][..., 2::-1]
  size = WIDTH, HEIGHT

  def case(name, data, expected, **options):
    return Case(f'BMP {name}', data, expected, with_opencv, **options)

  for bits in (1, 4, 8):
    last = 2 ** min(bits, 4) - 1
    rows = [packed_bits(row & last, bits) for row in up]
    yield case(
      f'{bits} bits',
      bmp(bits, rows, *size, palette=palette[: 4 * (last + 1)]),
      colours[index & last][..., 2::-1],
    )
  rows = [packed_bits(row, 4) for row in index]
  data = bmp(4, rows, *size, palette=palette, top_down=True)
  yield case('4 bits, top row first', data, picture)
  for name, bits, kind, line in (
    ('8 bits, runs', 8, 1, lambda r: b''.join(bytes([1, x]) for x in r)),
    ('8 bits, literal', 8, 1, lambda r: bytes([0, WIDTH, *r])),
    ('4 bits, runs', 4, 2, lambda r: b''.join(bytes([1, x << 4]) for x in r)),
  ):
    rle = b''.join(line(row.tolist()) + b'\0\0' for row in up) + b'\0\1'
    data = bmp(bits, rle, *size, palette=palette, compression=kind)
    yield case(name, data, picture)
  words = RANDOM.integers(0, 1 << 16, (HEIGHT, WIDTH)).astype('<u2')
  rows = [row.tobytes() for row in words[::-1]]
  five = [to8(words >> shift & 31, 5) for shift in (10, 5, 0)]
  # OpenCV leaves 5 bits at 248, so Pillow is the second decoder; it truncates.
  data = bmp(16, rows, *size)
  yield Case('BMP 555', data, np.dstack(five), tolerance=1)
  six = to8(words >> 5 & 63, 6)
  masks = struct.pack('<3I', 0xF800, 0x7E0, 0x1F)
  data = bmp(16, rows, *size, compression=3, masks=masks)
  expected = np.dstack([to8(words >> 11, 5), six, five[2]])
  yield Case('BMP 565', data, expected, tolerance=1)
  rows = [row.tobytes() for row in RGB[::-1, :, ::-1]]
  yield case('24 bits', bmp(24, rows, *size), RGB)
  for name, order, masks, header in (
    ('32 bits', (2, 1, 0, 3), (), 40),
    ('32 bits, fields', (2, 1, 0, 3), (0xFF0000, 0xFF00, 0xFF), 40),
    (
      '32 bits, version 4',
      (2, 1, 0, 3),
      (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
      108,
    ),
    (
      '32 bits, version 5, ABGR',
      (3, 2, 1, 0),
      (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
      124,
    ),
  ):
    rows = [row.tobytes() for row in RGBA[::-1][..., list(order)]]
    packed = struct.pack(f'<{len(masks)}I', *masks)
    data = bmp(
      32,
      rows,
      *size,
      compression=3 if masks else 0,
      masks=packed,
      header=header,
    )
    yield case(name, data, RGB)


def avif_cases():
  best = {'quality': 100, 'subsampling': '4:4:4'}
  for name, array, options in (
    ('4:4:4', RGB, best),
    ('4:2:0', RGB, {}),
    ('grey', RGB, {'subsampling': '4:0:0'}),
    ('alpha', RGBA, best),
  ):
    data = saved(array, 'AVIF', **options)
    expected = RGB if options is best else None
    second = with_imagecodecs(8)
    yield Case(f'AVIF {name}', data, expected, second, 3, 1)
  for bits in (10, 12):
    for name, array, expected in (
      ('RGB', RGB, RGB),
      ('RGBA', RGBA, RGB),
      ('grey', GREY, repeat(GREY)),
    ):
      data = imagecodecs.avif_encode(
        deep(array, bits), level=100, bitspersample=bits
      )
      second = with_imagecodecs(bits)
      yield Case(f'AVIF {name} {bits}', data, expected, second, 1, 1)


def jpeg2000_cases():
  for name, array, expected in (
    ('RGB', RGB, RGB),
    ('RGBA', RGBA, RGB),
    ('grey', GREY, repeat(GREY)),
    ('LA', PICTURE[..., :2].copy(), repeat(GREY)),
  ):
    for form in ('jp2', 'j2k'):
      data = saved(array, 'JPEG2000', no_jp2=form == 'j2k')
      yield Case(f'JPEG 2000 {name} {form}', data, expected)
    for bits in (10, 12, 16):
      values = deep(array, bits)
      data = imagecodecs.jpeg2k_encode(
        values, level=0, reversible=True, bitspersample=bits
      )
      # Pillow turns the largest values into 0.
      second = with_opencv if bits == 16 and name != 'LA' else None
      expected_here = to8(values.astype(float), bits)
      if expected_here.ndim == 2 or expected_here.shape[-1] < 3:
        expected_here = repeat(expected_here.reshape(HEIGHT, WIDTH, -1)[..., 0])
      yield Case(
        f'JPEG 2000 {name} {bits}', data, expected_here[..., :3], second
      )
  data = saved(RGB, 'JPEG2000', irreversible=True, quality_layers=[20])
  yield Case('JPEG 2000 lossy', data, other_tolerance=1)


def pnm_cases():
  def plain(kind, top, values):
    text = ' '.join(map(str, values.ravel().tolist()))
    return f'{kind}\n# a comment\n{WIDTH} {HEIGHT}\n{top}\n{text}\n'.encode()

  def binary(kind, top, values):
    bytes_each = '>u2' if int(top) > 255 else 'u1'
    header = f'{kind} {WIDTH} {HEIGHT} {top}\n'.encode()
    return header + values.astype(bytes_each).tobytes()

  bit = GREY & 1
  rows = b''.join(packed_bits(row, 1) for row in bit)
  data = f'P4 {WIDTH} {HEIGHT}\n'.encode() + rows
  yield Case('PNM P4', data, repeat((1 - bit) * np.uint8(255)), with_opencv)
  data = f'P1 {WIDTH} {HEIGHT}\n'.encode() + b' '.join(
    b'%d' % x for x in bit.ravel()
  )
  yield Case('PNM P1', data, repeat((1 - bit) * np.uint8(255)), with_opencv)
  for write, grey, colour in (plain, 'P2', 'P3'), (binary, 'P5', 'P6'):
    for top, bits in ('15', 4), ('255', 8), ('1023', 10), ('65535', 16):
      # OpenCV scales no other maximum than 255 and 65535.
      second = with_opencv if bits in (8, 16) else with_pillow
      values = deep(GREY, bits)
      picture = to8(values.astype(float), bits)
      data = write(grey, top, values)
      yield Case(f'PNM {grey} {top}', data, repeat(picture), second)
      values = deep(RGB, bits)
      picture = to8(values.astype(float), bits)
      data = write(colour, top, values)
      yield Case(f'PNM {colour} {top}', data, picture, second)


CASES = [
  *bmp_cases(),
  *avif_cases(),
  *jpeg2000_cases(),
  *pnm_cases(),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_a_file_decodes_to_the_picture_in_it(case):
  check_case(case)
