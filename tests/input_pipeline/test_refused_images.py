"""Files that are not decoded: the error says why; little memory is taken."""

import io
import os
import pathlib
import socket
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from helpers.picture_cases import GREY, RGB, RGBA, saved
from helpers.picture_files import png, png_chunk, tiff
from input_pipeline import images, pillow_images
from input_pipeline.errors import UserError

HEIC = pathlib.Path(__file__).parents[1] / 'data' / 'quarters.heic'
STRIP = RGB.tobytes()
TAGS = {
  256: [RGB.shape[1]],
  257: [RGB.shape[0]],
  258: [8, 8, 8],
  259: [1],
  262: [2],
  277: [3],
  278: [RGB.shape[0]],
}


def written(array, **options):
  stream = io.BytesIO()
  tifffile.imwrite(stream, array, metadata=None, **options)
  return stream.getvalue()


def box(brand):
  return struct.pack('>I4s4sI4s', 20, b'ftyp', brand, 0, brand) + bytes(40)


@pytest.mark.parametrize(
  ('data', 'why'),
  [
    (b'', 'the file is empty'),
    (bytes(500), 'nothing but zero bytes'),
    (b'RIFF\x24\0\0\0WAVEfmt ', 'a WAV sound, not an image'),
    (b'RIFF\x24\0\0\0AVI LIST', 'an AVI video'),
    (b'ID3\x04' + bytes(60), 'an MP3 sound'),
    (b'\xff\xfb\x90\x64' + bytes(60), 'an MP3 sound'),
    (b'\xff\xf1\x50\x80' + bytes(60), 'an AAC sound'),
    (b'FORM\0\0\1\0AIFF', 'an AIFF sound'),
    (b'fLaC' + bytes(60), 'a FLAC sound'),
    (b'OggS' + bytes(60), 'an Ogg sound or video'),
    (box(b'isom'), 'an MP4 video, not an image'),
    (box(b'qt  '), 'a QuickTime video'),
    (box(b'M4A '), 'an MP4 sound'),
    (box(b'crx '), "a camera's raw file"),
    (b'%PDF-1.7\n', 'a PDF document'),
    (b'PK\x03\x04' + bytes(60), 'a ZIP archive'),
    (b'<!DOCTYPE html>\n<html>', 'a web page'),
    (b'<svg xmlns="http://www.w3.org/2000/svg">', 'an SVG drawing'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
    (b'BMW is a car\n' * 9, 'text, not an image'),
    ('Größe\n'.encode() * 30, 'text, not an image'),
    (b'\x93NUMPY\x01\0' + bytes(60), 'a NumPy array'),
    (b'8BPS\0\x01' + bytes(60), 'a Photoshop document, not an image'),
    (b'v/1\x01' + bytes(60), 'an OpenEXR image, which is not supported'),
    (b'\xff\x0a' + bytes(60), 'a JPEG XL image, which is not supported'),
    (b'II\xbc\x01' + bytes(60), 'a JPEG XR image, which is not supported'),
    (b'SIMPLE  = T' + bytes(60), 'a FITS image, which is not supported'),
    (b'gimp xcf v011' + bytes(60), 'a GIMP document, not an image'),
    (
      png(RGB, 8, 2)[:8] + png_chunk(b'CgBI', bytes(4)) + png(RGB, 8, 2)[8:],
      'a PNG in the format of iPhone apps',
    ),
    (b'P7\nWIDTH 2\n', 'a PAM image, which is not supported'),
    (b'PF\n2 2\n-1.0\n' + bytes(48), 'a PFM image of floating-point values'),
    (b'II*\0\x10\0\0\0CR\x02\0' + bytes(60), "a camera's raw file"),
    (b'\x01\x02\x03\0\xfe' + bytes(90), 'damaged or not an image'),
    (
      imagecodecs.jpeg8_encode(
        RGB.astype(np.uint16) * 16, level=90, bitspersample=12
      ),
      'a JPEG of 12 bits; convert it to 8 bits',
    ),
    (imagecodecs.jpegls_encode(RGB), 'a lossless or hierarchical JPEG'),
    (b'\xff\xd8\xff\xe0\0\x04ab' + bytes(40), 'a JPEG without an image'),
    (png(GREY[..., None], 8, 3), 'a PNG without PLTE'),
    (png(GREY[..., None], 8, 5), 'a PNG of 8 bits and colour type 5'),
    (png(GREY[..., None] & 1, 7, 0), 'a PNG of 7 bits and colour type 0'),
    (png(RGB, 8, 2)[:33] + png_chunk(b'IEND', b''), 'a PNG without IDAT'),
    (saved(RGB, 'WEBP')[:25], 'cut short'),
    (written(GREY.astype(np.float32)), 'float32 values; convert it to 8 bits'),
    (written(GREY.astype(np.uint32)), 'uint32 values'),
    (written(GREY.astype(np.int16)), 'int16 values'),
    (written(GREY.astype(np.complex64)), 'complex64 values'),
    (written(RGB, photometric='cielab'), 'a TIFF of CIELAB colours'),
    (written(RGB, photometric='ycbcr'), 'a TIFF of YCbCr without JPEG'),
    (
      written(RGBA, photometric='separated', compression='jpeg'),
      'a TIFF of these CMYK colours',
    ),
    (written(GREY, photometric='cfa'), 'a TIFF of CFA colours'),
    (written(GREY, subfiletype=1), "a camera's raw file"),
    (
      written(GREY, extratags=[(50706, 'B', 4, (1, 4, 0, 0), True)]),
      "a camera's raw file",
    ),
    (
      written(np.stack([GREY] * 16), volumetric=True, tile=(16, 16, 16)),
      'a volume',
    ),
    (tiff(TAGS | {259: [6]}, STRIP), 'compressed by OJPEG'),
    (tiff(TAGS | {279: [0]}, STRIP), 'a part of the image is missing'),
    (tiff(TAGS | {258: [5, 6, 5]}, STRIP), 'values; convert it to 8 bits'),
    (tiff(TAGS, STRIP[:-1]), 'damaged or not supported'),
    (tiff(TAGS | {262: [3], 277: [1]}, STRIP), 'damaged or not supported'),
    (
      imagecodecs.jpeg2k_encode(RGB.astype(np.int16), level=0, reversible=True),
      'signed values',
    ),
    (
      saved(RGBA, 'JPEG2000').replace(
        struct.pack('>I', 16) + b'\0', struct.pack('>I', 12) + b'\0'
      ),
      'colour space 12',
    ),
    (b'BM' + bytes(12) + b'\x28' + bytes(60), 'Unsupported BMP pixel depth'),
  ],
)
def test_the_error_says_what_the_file_is(data, why):
  with pytest.raises(UserError) as error:
    images.decode_file(data, 'a/b.png')
  message = str(error.value)
  assert message.startswith('unreadable image: a/b.png: ') and why in message
  assert '\n' not in message


def test_heic_needs_a_package(monkeypatch):
  data = images.read_file(HEIC)
  decoded = images.decode_file(data, 'x')
  colours = [decoded[y, x].astype(int) for y in (10, 40) for x in (10, 50)]
  written = [(200, 40, 30), (20, 120, 220), (30, 180, 60), (240, 240, 230)]
  assert np.abs(np.subtract(colours, written)).max() <= 4
  monkeypatch.setattr(pillow_images, 'can_decode_heic', lambda: False)
  with pytest.raises(UserError, match='a HEIC image; `pip install pi-heif`'):
    images.decode_file(data, 'x')


def bombs():
  """Returns small files that claim to be images of enormous size."""
  side = 32767
  header = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
  start = png(RGB, 8, 2)[:8] + png_chunk(b'IHDR', header)
  found = {'PNG': start + png(RGB, 8, 2)[33:]}
  picture = Image.fromarray(RGB)
  jpeg = bytearray(saved(RGB, 'JPEG'))
  frame = jpeg.index(b'\xff\xc0')
  jpeg[frame + 5 : frame + 9] = struct.pack('>HH', side, side)
  found['JPEG'] = jpeg
  lossless = bytearray(saved(RGB, 'WEBP', lossless=True))
  lossless[21:25] = struct.pack('<I', 16383 | 16383 << 14)
  found['WebP lossless'] = lossless
  lossy = bytearray(saved(RGB, 'WEBP'))
  lossy[26:30] = struct.pack('<HH', 16383, 16383)
  found['WebP lossy'] = lossy
  moving = bytearray(
    saved(RGB, 'WEBP', save_all=True, append_images=[picture.rotate(90)])
  )
  moving[24:30] = b'\xff\x3f\0' * 2
  found['WebP animated'] = moving
  gif = bytearray(saved(picture.quantize(8), 'GIF'))
  gif[6:10] = b'\xff\xff\xff\xff'
  found['GIF'] = gif
  for name, mode in ('BMP', 'RGB'), ('BMP palette', 'P'):
    bmp = bytearray(saved(picture, 'BMP', mode=mode))
    bmp[18:26] = struct.pack('<II', side, side)
    found[name] = bmp
  wavelets = bytearray(saved(RGB, 'JPEG2000'))
  sizes = wavelets.index(b'\xff\x4f\xff\x51') + 8
  wavelets[sizes : sizes + 8] = struct.pack('>II', side, side)
  found['JPEG 2000'] = wavelets
  small = saved(RGB, 'JPEG2000', no_jp2=True)[:60]
  box = struct.pack('>I4s', 8 + len(small), b'uuid') + small
  start = wavelets.index(b'jp2c') - 4
  found['JPEG 2000 in boxes'] = wavelets[:start] + box + wavelets[start:]
  found['PNM'] = b'P6 %d %d 255\n' % (side, side) + STRIP
  found['PNM plain'] = b'P3 %d %d 255\n' % (side, side) + b'0 ' * 99
  found['TIFF'] = tiff(TAGS | {256: [side], 257: [side]}, STRIP)
  tiles = TAGS | {322: [1 << 16], 323: [1 << 16], 324: [8], 325: [len(STRIP)]}
  found['TIFF tiles'] = tiff(tiles, STRIP)
  found['TIFF of JPEG'] = tiff(TAGS | {259: [7]}, bytes(jpeg))
  found['TIFF of WebP'] = tiff(TAGS | {259: [50001]}, bytes(lossless))
  return {name: bytes(data) for name, data in found.items()}


@pytest.mark.parametrize(('name', 'data'), bombs().items())
def test_the_size_is_checked_before_memory_is_taken(name, data):
  with pytest.raises(UserError, match='pixels, more than --max_pixels=1342177'):
    images.decode_file(data, name)


ZEROS = zlib.compress(bytes(1 << 26))


@pytest.mark.parametrize(
  'data',
  [
    png(RGB, 8, 2)[:33]
    + png_chunk(b'IDAT', bytes(1 << 18))
    + png_chunk(b'IEND', b''),
    tiff(TAGS | {259: [8]}, ZEROS),
    tiff(TAGS | {277: [9999], 258: [8] * 9999}, STRIP),
    saved(Image.fromarray(RGB).quantize(8), 'GIF').replace(
      b',\0\0\0\0', b',\xff\xff\0\0'
    ),
  ],
  ids=['PNG', 'TIFF', 'TIFF samples', 'GIF'],
)
def test_more_data_than_pixels_is_refused(data):
  with pytest.raises(UserError, match='unreadable image: x: '):
    images.decode_file(data, 'x')


def test_many_samples_count_as_pixels():
  data = written(np.dstack([RGB] * 4), photometric='rgb', extrasamples=[0] * 9)
  pixels = RGB.shape[0] * RGB.shape[1]
  assert images.decode_file(data, 'x', 3 * pixels).shape == RGB.shape
  with pytest.raises(UserError, match='pixels of 12 samples, more than 5'):
    images.decode_file(data, 'x', 2 * pixels)


def test_a_jpeg_of_endless_scans_is_refused():
  data = saved(RGB, 'JPEG', progressive=True)
  last = data[data.rindex(b'\xff\xda') : -2]
  # Other files may follow, and may have these bytes.
  many = data + b'\xff\xda' * 500
  assert images.decode_file(many, 'x').shape == RGB.shape
  with pytest.raises(UserError, match='a JPEG of 2.. scans; at most 200'):
    images.decode_file(data[:-2] + last * 200 + data[-2:], 'x')


@pytest.mark.parametrize('suffix', ['PNG', 'TIFF', 'AVIF', 'GIF', 'JPEG2000'])
def test_the_limit_can_be_raised_and_lowered(suffix):
  data = saved(RGB, suffix)
  pixels = RGB.shape[0] * RGB.shape[1]
  assert images.decode_file(data, 'x', pixels).shape == RGB.shape
  with pytest.raises(UserError, match=f'--max_pixels={pixels - 1}; shrink'):
    images.decode_file(data, 'x', pixels - 1)


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path):
  os.mkfifo(tmp_path / 'pipe.png')
  with socket.socket(socket.AF_UNIX) as end:
    end.bind(str(tmp_path / 'socket.png'))
  (tmp_path / 'zero.png').symlink_to('/dev/zero')
  for name in 'pipe.png', 'socket.png', 'zero.png':
    with pytest.raises(
      UserError, match=f'unreadable image: .*{name}: .* not a'
    ):
      images.load_image(tmp_path / name)
  with open(tmp_path / 'large.png', 'wb') as file:
    file.truncate(1 << 40)  # takes no space
  with pytest.raises(UserError, match='more than an image of --max_pixels='):
    images.load_image(tmp_path / 'large.png')
