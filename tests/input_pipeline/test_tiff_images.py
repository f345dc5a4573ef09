"""TIFF files decode to the picture that is in them, or are refused."""

import io

import numpy as np
import pytest
import tifffile

from helpers.picture_cases import (
  ALPHA,
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
  with_pillow,
)
from helpers.picture_files import packed_bits
from helpers.picture_files import tiff as tiff_by_hand


def tiff(array, **options):
  stream = io.BytesIO()
  big = options.pop('bigtiff', False)
  with tifffile.TiffWriter(
    stream, bigtiff=big, byteorder=options.pop('byteorder', '<')
  ) as file:
    file.write(array, metadata=None, **options)
  return stream.getvalue()


def scaled(array, bits):
  picture = to8(array.astype(float), bits)
  return repeat(picture) if picture.ndim == 2 else picture[..., :3]


def depth_cases():
  for bits in (8, 16):
    for name, picture, options in (
      ('grey', GREY, {'photometric': 'minisblack'}),
      ('white is 0', GREY, {'photometric': 'miniswhite'}),
      ('RGB', RGB, {'photometric': 'rgb'}),
      ('RGBA', RGBA, {'photometric': 'rgb', 'extrasamples': ['unassalpha']}),
    ):
      for order in '<>':
        array = picture if bits == 8 else deep(picture, 16)
        expected = scaled(array, bits)
        if name == 'white is 0':
          expected = 255 - expected
        # Pillow truncates 16 bits of more than one channel, and takes 0 for
        # black in 16 bits.
        other = None if (name, bits) == ('white is 0', 16) else with_pillow
        yield Case(
          f'{name} {bits} {order}',
          tiff(array, byteorder=order, **options),
          expected,
          other,
          other_tolerance=int(bits == 16),
        )
  for bits in (1, 2, 4, 12):
    array = deep(GREY, bits)
    if bits <= 8:
      array = array.astype(np.uint8)
    data = tiff(array, bitspersample=bits, photometric='minisblack')
    yield Case(f'grey {bits}', data, scaled(array, bits), None)
  for name, photometric in ('black', 'minisblack'), ('white', 'miniswhite'):
    array = (GREY & 1).astype(bool)
    data = tiff(array, photometric=photometric)
    expected = scaled(array, 1) if name == 'black' else scaled(~array, 1)
    yield Case(f'{name} is 0, 1 bit', data, expected)
  array = deep(RGB, 12)
  yield Case('RGB 12', tiff(array, bitspersample=12), scaled(array, 12), None)


def colour_cases():
  for bits in (1, 4, 8):
    index = GREY >> 8 - bits
    colours = RANDOM.integers(0, 256, (3, 2**bits))
    colours[0, 0] = 255
    for name, factor in ('16', 257), ('8', 1):
      tags = {
        256: [WIDTH],
        257: [HEIGHT],
        258: [bits],
        259: [1],
        262: [3],
        277: [1],
        278: [HEIGHT],
        320: (colours * factor).ravel().tolist(),
      }
      rows = b''.join(packed_bits(row, bits) for row in index)
      expected = colours.T[index].astype(np.uint8)
      # Pillow always takes a table of colours for one of 16 bits.
      other = with_pillow if factor > 1 else None
      data = tiff_by_hand(tags, rows)
      yield Case(f'palette {bits} of {name} bits', data, expected, other)
  for bits in (8, 16):
    alpha = np.maximum(ALPHA, 60)
    top, values = 2**bits - 1, [RGB, alpha]
    if bits == 16:
      values = [x.astype(np.uint16) * np.uint16(257) for x in values]
    product = values[0].astype(np.uint64) * values[1][..., None] / top
    array = np.dstack([product.round().astype(values[0].dtype), values[1]])
    data = tiff(array, photometric='rgb', extrasamples=['assocalpha'])
    # The colours are rounded before they are stored, and again by Pillow.
    other = with_pillow if bits == 8 else None
    yield Case(f'associated alpha {bits}', data, RGB, other, 3, 1)
  array = np.dstack([GREY, ALPHA])
  data = tiff(array, photometric='minisblack', extrasamples=['unassalpha'])
  yield Case('grey and alpha', data, repeat(GREY))
  data = tiff(
    PICTURE, photometric='rgb', extrasamples=['unspecified'], planarconfig=1
  )
  yield Case('RGB and another sample', data, RGB)
  inks = tiff(RGBA, photometric='separated')
  yield Case('CMYK', inks, other_tolerance=1)
  deep_inks = tiff(RGBA.astype(np.uint16) * 257, photometric='separated')
  yield Case('CMYK 16', deep_inks, with_pillow(inks), None, tolerance=1)


def layout_cases():
  sixteen = deep(RGB, 16)
  for name, options in {
    'strips': {'rowsperstrip': 5},
    'tiles': {'tile': (16, 16)},
    'planes': {'planarconfig': 'separate'},
    'planes in strips': {'planarconfig': 'separate', 'rowsperstrip': 4},
    'BigTIFF': {'bigtiff': True},
    'LZW': {'compression': 'lzw'},
    'LZW, predictor': {'compression': 'lzw', 'predictor': True},
    'Deflate': {'compression': 'zlib'},
    'Deflate in tiles': {'compression': 'zlib', 'tile': (16, 32)},
    'PackBits': {'compression': 'packbits'},
    'Zstandard': {'compression': 'zstd'},
    'LZMA': {'compression': 'lzma'},
  }.items():
    for bits, array in (8, RGB), (16, sixteen):
      stored = np.moveaxis(array, -1, 0) if 'planes' in name else array
      data = tiff(stored, photometric='rgb', **options)
      # Pillow reads no 16-bit planes, and a 16-bit predictor wrongly; older
      # versions lack Zstandard.
      known = bits == 8 and name != 'Zstandard' or name == 'strips'
      other = with_pillow if known else None
      yield Case(
        f'{name} {bits}',
        data,
        scaled(array, bits),
        other,
        other_tolerance=int(bits == 16),
      )
  data = tiff(RGB, photometric='rgb', compression='jpeg')
  yield Case('JPEG', data, other_tolerance=2)
  data = tiff(
    RGB,
    photometric='rgb',
    compression='webp',
    compressionargs={'lossless': True},
  )
  yield Case('WebP', data, RGB, None)  # Pillow's libtiff lacks WebP
  data = saved(RGB, 'TIFF', compression='jpeg', quality=95)
  yield Case('JPEG by libtiff', data, other_tolerance=2)
  for name in ('group3', 'group4', 'tiff_ccitt'):
    data = saved(repeat(GREY), 'TIFF', mode='1', compression=name)
    yield Case(name, data)
  data = saved(repeat(GREY), 'TIFF', mode='P')
  yield Case('palette by Pillow', data)
  stream = io.BytesIO()
  with tifffile.TiffWriter(stream) as file:
    file.write(RGB, photometric='rgb', metadata=None)
    file.write(255 - GREY, photometric='minisblack', metadata=None)
  yield Case('two pages', stream.getvalue(), RGB)


CASES = [*depth_cases(), *colour_cases(), *layout_cases()]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_a_file_decodes_to_the_picture_in_it(case):
  check_case(case)
