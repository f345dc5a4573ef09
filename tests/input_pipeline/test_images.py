"""Reading image files of all kinds as RGB."""

import base64
import struct
import zlib

import cv2
import numpy as np
import pytest

from helpers.imagesets import image
from input_pipeline import images
from input_pipeline.errors import UserError
from input_pipeline.image_headers import probe

RGB = image(16, seed=1)


def encoded(array, suffix='.png'):
  return cv2.imencode(suffix, array)[1].tobytes()


def png_chunk(kind, content):
  crc = zlib.crc32(kind + content)
  return (
    struct.pack('>I', len(content)) + kind + content + struct.pack('>I', crc)
  )


def with_chunk(png, chunk):
  """Returns the PNG with a chunk inserted after its header."""
  return png[:33] + chunk + png[33:]


def jpeg_with_orientation(array, orientation):
  """Returns a JPEG with an EXIF orientation."""
  data = encoded(array[..., ::-1], '.jpg')
  entry = struct.pack('<HHIHH', 0x0112, 3, 1, orientation, 0)
  tiff = b'II*\0' + struct.pack('<IH', 8, 1) + entry + struct.pack('<I', 0)
  payload = b'Exif\0\0' + tiff
  segment = b'\xff\xe1' + struct.pack('>H', len(payload) + 2) + payload
  return data[:2] + segment + data[2:]


@pytest.mark.golden
def test_resizing_matches_the_reference(golden):
  file = golden('transforms')
  names = [
    key.removesuffix('_resized_u8')
    for key in file
    if key.endswith('_resized_u8') and not key.startswith('calpil')
  ]
  assert names
  for name in names:
    expected = file[f'{name}_resized_u8']
    resized = images.resize_image(file[f'{name}_image'], len(expected))
    difference = np.abs(resized.astype(int) - expected.astype(int))
    assert difference.max() <= 1, name


def test_an_image_of_the_size_is_not_resized():
  image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
  cut = np.pad(image, ((2, 3), (1, 4), (0, 0)))[2:11, 1:10]
  found = images.resize_image(cut, 9)
  np.testing.assert_array_equal(found, image)
  # A view would keep the image that it was cut from in memory.
  assert found.base is None


def test_png_and_jpeg_round_trip(tmp_path):
  path = tmp_path / 'a.png'
  path.write_bytes(images.encode_image(RGB, 'png', 95))
  np.testing.assert_array_equal(images.load_image(path), RGB)
  smooth = cv2.blur(RGB, (9, 9))
  jpeg = images.encode_image(smooth, 'jpeg', 100)
  difference = images.decode_file(jpeg, 'x').astype(int) - smooth
  assert 0 < np.abs(difference).max() < 16
  assert len(images.encode_image(RGB, 'jpeg', 20)) < len(
    images.encode_image(RGB, 'jpeg', 95)
  )


def test_grey_is_repeated():
  decoded = images.decode_file(encoded(RGB[..., 0]), 'x')
  np.testing.assert_array_equal(decoded, np.dstack([RGB[..., 0]] * 3))


def test_alpha_is_left_out():
  alpha = (
    np.random.default_rng(0).integers(0, 256, (16, 16, 1)).astype(np.uint8)
  )
  data = encoded(np.dstack([RGB[..., ::-1], alpha]))
  np.testing.assert_array_equal(images.decode_file(data, 'x'), RGB)


def test_sixteen_bits_are_rounded_to_eight():
  deep = np.full((4, 4, 3), 128, np.uint16)
  deep[0, 0] = (129, 257 * 100 + 128, 65535)  # blue, green, red
  decoded = images.decode_file(encoded(deep), 'x')
  assert decoded.dtype == np.uint8
  assert decoded[0, 0].tolist() == [255, 100, 1]
  assert decoded[1, 1].tolist() == [0, 0, 0]
  grey = images.decode_file(encoded(RGB[..., 0].astype(np.uint16) * 257), 'x')
  np.testing.assert_array_equal(grey, np.dstack([RGB[..., 0]] * 3))


@pytest.mark.parametrize(
  ('orientation', 'turn'),
  [
    (2, lambda a: a[:, ::-1]),
    (3, lambda a: a[::-1, ::-1]),
    (6, lambda a: np.rot90(a, -1)),
    (8, np.rot90),
  ],
)
def test_exif_orientation_is_applied(orientation, turn):
  upright = images.decode_file(jpeg_with_orientation(RGB[:8], 1), 'x')
  turned = images.decode_file(jpeg_with_orientation(RGB[:8], orientation), 'x')
  np.testing.assert_array_equal(turned, turn(upright))


# 8 x 8 pixels, the upper half (200, 40, 30) and the lower (20, 120, 220), as
# Pillow writes CMYK: OpenCV cannot.
CMYK = base64.b64decode(
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYG'
  'BgcJCAYHCQcGBggLCAkKCgoKCgYICwwLCgwJCgoK/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EAB8A'
  'AAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUS'
  'ITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElK'
  'U1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4'
  'ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwDz'
  'f/iKM/6sa/8AMm//AHsr4/8A+Hbv/VZv/Ld/+6Kp/wDEKd/1fl/5i7/76V+/lf/Z'
)


def test_cmyk_becomes_rgb():
  decoded = images.decode_file(CMYK, 'x').astype(int)
  assert np.abs(decoded[:4] - (200, 40, 30)).max() <= 2
  assert np.abs(decoded[4:] - (20, 120, 220)).max() <= 2
  assert probe(CMYK) == ('jpeg', 8, 8, False)


def animated(suffix):
  """Returns an animation whose first frame is RGB."""
  frames = cv2.Animation()
  frames.frames = [frame[..., ::-1].copy() for frame in (RGB, 255 - RGB, RGB)]
  frames.durations = [100] * 3
  return cv2.imencodeanimation(suffix, frames)[1].tobytes()


@pytest.mark.parametrize('suffix', ['.gif', '.png', '.webp'])
def test_the_first_frame_of_an_animation_is_taken(suffix):
  data = animated(suffix)
  decoded = images.decode_file(data, 'x').astype(int)
  # GIF has few colours, WebP is lossy; the second frame is the negative.
  far = np.abs(decoded - (255 - RGB.astype(int))).mean()
  assert np.abs(decoded - RGB).mean() < far / 3
  assert not probe(data)[3]


@pytest.mark.parametrize('cut', [1, 2, 60])
@pytest.mark.parametrize(
  'suffix', ['.jpg', 'progressive', '.png', '.webp', '.gif', '.bmp', '.tiff']
)
def test_a_file_that_is_cut_short_is_refused(suffix, cut):
  large = cv2.resize(RGB, (64, 64))
  options = []
  if suffix == 'progressive':
    suffix, options = '.jpg', [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
  data = cv2.imencode(suffix, large, options)[1].tobytes()
  assert images.decode_file(data, 'x').shape == (64, 64, 3)
  with pytest.raises(UserError, match='unreadable image: x: '):
    images.decode_file(data[:-cut], 'x')


PNG = images.encode_image(RGB, 'png', 95)
JPEG = images.encode_image(RGB, 'jpeg', 95)


@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (b'', 'the file is empty'),
    (b'hello', 'text, not an image'),
    (PNG[:-1], 'cut short'),
    (PNG[:-12], 'cut short'),
    (PNG[: len(PNG) // 2], 'cut short'),
    (PNG[:100] + bytes([PNG[100] ^ 1]) + PNG[101:], 'byte offset 33'),
    (JPEG[: len(JPEG) // 2], 'damaged'),
    (encoded(RGB.astype(np.float32), '.tiff'), 'float32 values'),
  ],
)
def test_an_unreadable_image_is_named(data, message):
  with pytest.raises(
    UserError, match=f'unreadable image: a/b.png: .*{message}'
  ):
    images.decode_file(data, 'a/b.png')


@pytest.mark.parametrize(
  'make', [lambda p: None, lambda p: p.mkdir(), lambda p: p.symlink_to(p)]
)
def test_a_path_that_is_no_file_is_named(tmp_path, make):
  path = tmp_path / 'a.png'
  make(path)
  with pytest.raises(UserError, match=f'unreadable image: {path}: '):
    images.load_image(path)


@pytest.mark.parametrize(
  ('data', 'expected'),
  [
    (PNG, ('png', 16, 16, True)),
    (JPEG, ('jpeg', 16, 16, True)),
    (encoded(RGB[:8]), ('png', 8, 16, True)),
    (encoded(RGB[:8], '.jpg'), ('jpeg', 8, 16, True)),
    (encoded(RGB[..., 0]), ('png', 16, 16, False)),
    (encoded(RGB[..., 0], '.jpg'), ('jpeg', 16, 16, False)),
    (encoded(RGB.astype(np.uint16)), ('png', 16, 16, False)),
    (encoded(np.dstack([RGB, RGB[..., :1]])), ('png', 16, 16, False)),
    (jpeg_with_orientation(RGB, 3), ('jpeg', 16, 16, False)),
    (with_chunk(PNG, png_chunk(b'tRNS', b'\0' * 6)), ('png', 16, 16, False)),
    (encoded(RGB, '.webp'), ('', 0, 0, False)),
    (b'', ('', 0, 0, False)),
    (PNG[:20], ('', 0, 0, False)),
    (JPEG[:10], ('', 0, 0, False)),
  ],
)
def test_probing_reads_the_header(data, expected):
  assert probe(data) == expected


def test_a_progressive_jpeg_is_probed():
  data = cv2.imencode('.jpg', RGB, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[
    1
  ].tobytes()
  assert probe(data) == ('jpeg', 16, 16, True)
