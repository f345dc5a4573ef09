"""Recognises image files, and names other files, by their first bytes."""

import re

# The number of first bytes that `image_kind` and `describe_content` need.
START_BYTES = 64

# The kinds of images that can be decoded; 'heic' needs a further package.
KINDS = (
  'png',
  'jpeg',
  'webp',
  'bmp',
  'gif',
  'tiff',
  'avif',
  'heic',
  'jpeg2000',
  'pnm',
)
# Files with these suffixes are taken for images without opening them, since a
# folder of 100,000 images must not take minutes to list. Others are opened.
SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff')

_STARTS = {
  b'\x89PNG\r\n\x1a\n': 'png',
  b'\xff\xd8\xff': 'jpeg',
  b'GIF87a': 'gif',
  b'GIF89a': 'gif',
  b'II*\0': 'tiff',
  b'MM\0*': 'tiff',
  b'II+\0': 'tiff',  # BigTIFF
  b'MM\0+': 'tiff',
  b'\0\0\0\x0cjP  \r\n\x87\n': 'jpeg2000',
  b'\xff\x4f\xff\x51': 'jpeg2000',  # a bare codestream
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # their lengths, in bytes
_AVIF_BRANDS = {b'avif', b'avis'}
_HEIC_BRANDS = {b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1'}
_CANON_RAW = 8  # the offset of its mark

# What other files are called in errors.
_OTHERS = (
  (b'\x93NUMPY', 'a NumPy array'),
  (b'%PDF', 'a PDF document'),
  (b'PK\x03\x04', 'a ZIP archive'),
  (b'\x1f\x8b', 'a gzip archive'),
  (b'Rar!', 'a RAR archive'),
  (b'7z\xbc\xaf', 'a 7z archive'),
  (b'ID3', 'an MP3 sound'),
  (b'\xff\xfb', 'an MP3 sound'),
  (b'\xff\xf3', 'an MP3 sound'),
  (b'\xff\xf2', 'an MP3 sound'),
  (b'\xff\xfa', 'an MP3 sound'),
  (b'\xff\xf1', 'an AAC sound'),
  (b'\xff\xf9', 'an AAC sound'),
  (b'FORM', 'an AIFF sound or another IFF file'),
  (b'.snd', 'an AU sound'),
  (b'#!AMR', 'an AMR sound'),
  (b'caff', 'a CAF sound'),
  (b'0&\xb2u', 'a Windows Media sound or video'),
  (b'fLaC', 'a FLAC sound'),
  (b'OggS', 'an Ogg sound or video'),
  (b'MThd', 'a MIDI sound'),
  (b'\x1a\x45\xdf\xa3', 'a Matroska video'),
  (b'FLV\x01', 'a Flash video'),
  (b'\0\0\x01\xba', 'an MPEG video'),
  (b'\0\0\x01\xb3', 'an MPEG video'),
  (b'8BPS', 'a Photoshop document'),
  (b'v/1\x01', 'an OpenEXR image'),
  (b'II\xbc', 'a JPEG XR image'),
  (b'BPG\xfb', 'a BPG image'),
  (b'FLIF', 'a FLIF image'),
  (b'SIMPLE  =', 'a FITS image'),
  (b'\x8aMNG', 'an MNG image'),
  (b'\x8bJNG', 'a JNG image'),
  (b'gimp xcf', 'a GIMP document'),
  (b'%!PS', 'a PostScript document'),
  (b'#?RADIANCE', 'a Radiance HDR image'),
  (b'#?RGBE', 'a Radiance HDR image'),
  (b'\0\0\x01\0', 'a Windows icon'),
  (b'DDS ', 'a DDS texture'),
  (b'qoif', 'a QOI image'),
  (b'P7\n', 'a PAM image'),
  (b'PF\n', 'a PFM image of floating-point values'),
  (b'Pf\n', 'a PFM image of floating-point values'),
  (b'\x59\xa6\x6a\x95', 'a Sun raster image'),
  (b'\x01\xda', 'an SGI image'),
  (b'\xff\x0a', 'a JPEG XL image'),
  (b'\0\0\0\x0cJXL ', 'a JPEG XL image'),
  (b'FUJIFILMCCD-RAW', "a camera's raw file"),
  (b'IIU\0', "a camera's raw file"),
  (b'IIRO', "a camera's raw file"),
  (b'\x89HDF', 'an HDF5 file'),
  (b'SQLite format', 'a database'),
  (b'\x7fELF', 'a program'),
  (b'version https://git-lfs', 'a pointer of Git LFS (`git lfs pull`)'),
)
_BOXES = {
  b'qt  ': 'a QuickTime video',
  b'M4A ': 'an MP4 sound',
  b'crx ': "a camera's raw file",
}
_RIFF = {b'WAVE': 'a WAV sound', b'AVI ': 'an AVI video'}


class BadImage(Exception):
  """An image that cannot be decoded; the message says why."""


def undecodable(error: Exception) -> BadImage:
  """Returns the error for a file at which a library raised an exception."""
  text = str(error)
  # The text of a KeyError, for example, may be a number.
  words = f': {text}' if len(re.findall('[A-Za-z]', text)) > 3 else ''
  return BadImage(f'damaged or not supported{words}')


def image_kind(start: bytes) -> str:
  """Returns which of `KINDS` a file is; '' if it is none of them.

  Args:
    start: its first `START_BYTES` bytes, or more.
  """
  if start[_CANON_RAW : _CANON_RAW + 2] == b'CR' and start[:2] == b'II':
    return ''
  for first, kind in _STARTS.items():
    if start.startswith(first):
      return kind
  if start[:4] == b'RIFF' and start[8:12] == b'WEBP':
    return 'webp'
  # Text may begin with the letters BM as well.
  if start[:2] == b'BM' and int.from_bytes(start[14:18], 'little') in (
    _BMP_HEADERS
  ):
    return 'bmp'
  if re.match(rb'P[1-6][\s#]', start):
    return 'pnm'
  brands = _brands(start)
  if brands & _AVIF_BRANDS:
    return 'avif'
  return 'heic' if brands & _HEIC_BRANDS else ''


def describe_content(start: bytes) -> str:
  """Describes a file that is none of `KINDS`, for an error.

  Args:
    start: its first `START_BYTES` bytes, or all of them.
  """
  if not start:
    return 'the file is empty'
  if start[_CANON_RAW : _CANON_RAW + 2] == b'CR' and start[:2] == b'II':
    return "a camera's raw file, not an image"
  for first, name in _OTHERS:
    if start.startswith(first):
      return _not_an_image(name)
  if start[:4] == b'RIFF':
    return _not_an_image(_RIFF.get(start[8:12], 'a RIFF file'))
  if start[4:8] == b'ftyp':
    return _not_an_image(_BOXES.get(start[8:12], 'an MP4 video'))
  if not any(start):
    return 'nothing but zero bytes, not an image'
  text = start.lstrip(b'\xef\xbb\xbf \t\r\n')
  if text[:5].lower() in (b'<html', b'<!doc'):
    return 'a web page, not an image'
  if text.startswith((b'<svg', b'<?xml')):
    return 'an SVG drawing or other XML, not an image'
  if re.fullmatch(rb'[\t\n\r\x20-\x7e\x80-\xff]*', start) and _is_utf8(start):
    return 'text, not an image'
  return 'damaged or not an image'


def _not_an_image(name: str) -> str:
  if name.endswith('image') or 'image of' in name:
    return f'{name}, which is not supported; convert it to PNG'
  return f'{name}, not an image'


def _brands(start: bytes) -> set[bytes]:
  """Returns the brands that a file of the ISO media format names."""
  if start[4:8] != b'ftyp':
    return set()
  end = min(int.from_bytes(start[:4], 'big'), START_BYTES)
  return {start[8:12], *(start[i : i + 4] for i in range(16, end - 3, 4))}


def _is_utf8(start: bytes) -> bool:
  # The last character may be cut.
  for cut in range(4):
    try:
      start[: len(start) - cut].decode()
    except UnicodeDecodeError:
      continue
    return True
  return False
