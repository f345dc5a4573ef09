"""Decoding into a row of a batch gives what OpenCV gives, for every image."""

import itertools
import struct
import zlib

import cv2
import numpy as np
import pytest

from helpers.imagesets import image
from input_pipeline import packed_images
from input_pipeline.errors import UserError
from input_pipeline.image_headers import probe

SIZE = 40
# EXIF with the orientation "rotated by 90 degrees".
ROTATED = b'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
SAMPLING = {
  '4:4:4': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
  '4:2:2': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
  '4:4:0': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
  '4:2:0': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
  '4:1:1': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}


def by_opencv(data):
  return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def decoded(data, size=SIZE):
  out = np.zeros((size, size, 3), np.uint8)
  packed_images.decode_into(data, 0, len(data), out)
  return out


def is_fast(data, size=SIZE):
  return packed_images.fast_decoder(data, 0, len(data), size) is not None


def jpeg(**options):
  flags = [cv2.IMWRITE_JPEG_QUALITY, options.get('quality', 95)]
  sampling = SAMPLING[options.get('sampling', '4:2:0')]
  flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
  flags += [cv2.IMWRITE_JPEG_PROGRESSIVE, options.get('progressive', 0)]
  picture = options.get('picture', image(SIZE, seed=0))
  return cv2.imencode('.jpg', picture, flags)[1].tobytes()


def png(picture=None):
  picture = image(SIZE, seed=0) if picture is None else picture
  return cv2.imencode('.png', picture)[1].tobytes()


def with_chunk(data, kind, content, place):
  """Returns a PNG with one more chunk at a place."""
  chunk = struct.pack('>I', len(content)) + kind + content
  chunk += struct.pack('>I', zlib.crc32(kind + content))
  return data[:place] + chunk + data[place:]


def segment(marker, content):
  """Returns a segment of a JPEG."""
  return marker + struct.pack('>H', len(content) + 2) + content


EXIF = segment(b'\xff\xe1', b'Exif\0\0' + ROTATED)


def with_exif(data, place=2):
  """Returns a JPEG with an orientation at a place."""
  return data[:place] + EXIF + data[place:]


@pytest.mark.parametrize('size', [8, 9, 40, 65])
def test_plain_images_are_decoded_as_opencv_does(size):
  picture = cv2.GaussianBlur(image(size, seed=0), (0, 0), 1.5)
  kinds = itertools.product((50, 95), SAMPLING, (0, 1))
  files = [
    jpeg(picture=picture, quality=q, sampling=s, progressive=p)
    for q, s, p in kinds
  ]
  for data in [png(picture), *files]:
    assert is_fast(data, size)
    np.testing.assert_array_equal(decoded(data, size), by_opencv(data))


@pytest.mark.parametrize('length', [1000, 50000])
def test_other_segments_may_come_before_the_frame(length):
  data = jpeg()
  longer = data[:2] + segment(b'\xff\xfe', bytes(length)) + data[2:]
  assert is_fast(longer)
  np.testing.assert_array_equal(decoded(longer), by_opencv(data))


def test_long_headers_are_not_kept():
  data = jpeg()
  assert is_fast(data)
  kept = dict(packed_images._last_header)
  longer = data[:2] + segment(b'\xff\xfe', bytes(50000)) + data[2:]
  assert is_fast(longer)
  assert packed_images._last_header == kept


OTHERS = {
  'grey JPEG': jpeg(picture=image(SIZE, seed=0)[..., 0]),
  'rotated JPEG': with_exif(jpeg()),
  'grey PNG': png(image(SIZE, seed=0)[..., 0]),
  'PNG with alpha': png(
    np.dstack([image(SIZE, seed=0), image(SIZE, 1)[..., 0]])
  ),
  'PNG of 16 bits': png(image(SIZE, seed=0).astype(np.uint16) * 257),
  'PNG rotated before its pixels': with_chunk(png(), b'eXIf', ROTATED, 33),
  'PNG rotated after its pixels': with_chunk(png(), b'eXIf', ROTATED, -12),
  'PNG with a transparent colour': with_chunk(png(), b'tRNS', bytes(6), 33),
  'PNG with a density': with_chunk(png(), b'pHYs', bytes(9), 33),
}


@pytest.mark.parametrize('data', OTHERS.values(), ids=OTHERS.keys())
def test_what_is_not_plain_is_left_to_opencv(data):
  assert not is_fast(data)
  np.testing.assert_array_equal(decoded(data), by_opencv(data))


def test_the_rotated_images_are_rotated():
  turned = np.rot90(by_opencv(png()), -1)
  for name in 'PNG rotated before its pixels', 'PNG rotated after its pixels':
    np.testing.assert_array_equal(decoded(OTHERS[name]), turned)


@pytest.mark.parametrize('data', [png(), jpeg()], ids=['PNG', 'JPEG'])
def test_another_size_is_refused(data):
  with pytest.raises(UserError, match=r'shape \(40, 40, 3\), the description'):
    decoded(data, SIZE + 1)


@pytest.mark.parametrize(
  'data',
  [b'', b'abc', png()[:33], jpeg()[:200], png()[:40] + bytes(100)],
)
def test_what_is_no_image_is_refused(data):
  with pytest.raises(UserError, match='no readable image'):
    decoded(data)


def test_an_orientation_after_the_frame_counts():
  data = jpeg(picture=image(SIZE, seed=1))
  late = with_exif(data, data.index(b'\xff\xc4'))
  assert not is_fast(late)
  assert not probe(late)[3]
  # OpenCV turns it.
  assert np.any(by_opencv(late) != by_opencv(data))
  np.testing.assert_array_equal(decoded(late), by_opencv(late))


@pytest.mark.parametrize('progressive', [0, 1])
def test_an_orientation_after_the_first_scan_does_not_count(progressive):
  data = jpeg(progressive=progressive)
  places = [data.rindex(b'\xff\xda')] if progressive else []
  for place in [*places, len(data) - 2]:
    late = with_exif(data, place)
    np.testing.assert_array_equal(by_opencv(late), by_opencv(data))
    assert is_fast(late)
    np.testing.assert_array_equal(decoded(late), by_opencv(late))


def test_what_looks_like_a_scan_within_a_segment_hides_no_orientation():
  data = jpeg()
  comment = segment(b'\xff\xfe', b'\0\0\xff\xda\0\x0c')
  for first in comment, comment + EXIF:
    longer = data[:2] + first + data[2:]
    assert not is_fast(longer)
    np.testing.assert_array_equal(decoded(longer), by_opencv(longer))
  # After the frame too.
  frame_end = data.index(b'\xff\xc4')
  longer = data[:frame_end] + comment + EXIF + data[frame_end:]
  assert not is_fast(longer)
  np.testing.assert_array_equal(decoded(longer), by_opencv(longer))


def test_images_after_one_another_are_each_what_they_are():
  """The header of the last plain image is remembered."""
  plain = [
    jpeg(),
    jpeg(picture=image(SIZE, seed=1)),
    jpeg(quality=50),
    jpeg(sampling='4:4:4', progressive=1),
    png(),
  ]
  others = [*OTHERS.values(), with_exif(jpeg(), jpeg().index(b'\xff\xda'))]
  for data, other in itertools.product(plain, others):
    assert is_fast(data)
    np.testing.assert_array_equal(decoded(data), by_opencv(data))
    assert not is_fast(other)
    np.testing.assert_array_equal(decoded(other), by_opencv(other))
  assert not is_fast(jpeg(), SIZE + 1)


@pytest.mark.parametrize('data', [png(), jpeg()], ids=['PNG', 'JPEG'])
def test_an_image_among_other_bytes(data):
  assert is_fast(data)
  for around in data, b'\xff\xd9', b'\xff\xda' * 9:
    whole = around + data + around
    start, stop = len(around), len(around) + len(data)
    decoder = packed_images.fast_decoder(whole, start, stop, SIZE)
    assert decoder is packed_images.fast_decoder(data, 0, len(data), SIZE)
    out = np.zeros((SIZE, SIZE, 3), np.uint8)
    packed_images.decode_into(whole, start, stop, out)
    np.testing.assert_array_equal(out, by_opencv(data))
    # The bytes after a cut image are not taken for its end.
    for cut in 10, len(data) // 2, len(data) - 1:
      with pytest.raises(UserError, match='no readable image'):
        packed_images.decode_into(whole, start, start + cut, out)


def test_a_header_that_goes_on_after_the_image_is_not_its_own():
  data = jpeg()
  whole = data[:2] + segment(b'\xff\xfe', b'\xff\xd9') + data[2:]
  assert is_fast(whole)
  cut = whole.index(b'\xff\xd9') + 2
  assert packed_images.fast_decoder(whole, 0, cut, SIZE) is None


@pytest.mark.parametrize('keep', [0.6, 0.9])
def test_a_jpeg_that_was_cut_short_is_refused(keep):
  data = jpeg()
  with pytest.raises(UserError, match='no readable image'):
    decoded(data[: int(keep * len(data))])


def test_an_interlaced_png_is_left_to_opencv():
  data = bytearray(png())
  assert is_fast(bytes(data))
  data[28] = 1
  assert not is_fast(bytes(data))
