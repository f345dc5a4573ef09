"""Image files that are damaged, no images, too large, or no files at all."""

import io
import struct
import zlib

from PIL import Image

from bad_input.case import Case, Make, together
from bad_input.inputs import directory, fifo, file, link, removed, table
from bad_input.tables.commands import PACK
from helpers import imagesets

_PATH = '0/0.png'
_PICTURE = Image.fromarray(imagesets.image(32, 0))


def _written(form: str, picture: Image.Image = _PICTURE, **options) -> bytes:
  """Returns an image file as Pillow writes it."""
  buffer = io.BytesIO()
  picture.save(buffer, form, **options)
  return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
  body = kind + data
  return (
    struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))
  )


def _png(width: int, height: int, *, depth=8, colour=2, rows=b'') -> bytes:
  """Returns a PNG that claims a size; its rows may be too few."""
  header = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
  return (
    b'\x89PNG\r\n\x1a\n'
    + _chunk(b'IHDR', header)
    + _chunk(b'IDAT', zlib.compress(rows, 1))
    + _chunk(b'IEND', b'')
  )


def _resized_jpeg(width: int, height: int) -> bytes:
  """Returns a JPEG whose header claims another size."""
  data = bytearray(_written('JPEG'))
  place = data.index(b'\xff\xc0') + 5
  data[place : place + 4] = struct.pack('>HH', height, width)
  return bytes(data)


def _resized_gif(width: int, height: int) -> bytes:
  data = bytearray(_written('GIF'))
  data[6:10] = struct.pack('<HH', width, height)
  return bytes(data)


def _resized_bmp(width: int, height: int) -> bytes:
  data = bytearray(_written('BMP'))
  data[18:26] = struct.pack('<ii', width, height)
  return bytes(data)


def _tiff(width: int, height: int, strips: int = 1) -> bytes:
  """Returns a TIFF that claims a size and holds no pixels."""
  entries = [
    (256, 4, 1, width),
    (257, 4, 1, height),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (273, 4, strips, 8),
    (277, 3, 1, 1),
    (278, 4, 1, height),
    (279, 4, strips, 99),
  ]
  parts = [struct.pack('<HHII', *entry) for entry in entries]
  body = struct.pack('<H', len(parts)) + b''.join(parts) + bytes(4)
  return b'II*\0' + struct.pack('<I', 8) + body


def _flipped(data: bytes, place: float = 0.5) -> bytes:
  changed = bytearray(data)
  changed[int(place * len(data))] ^= 0x55
  return bytes(changed)


def _image(name: str, make: Make | bytes, *words: str, memory=150) -> Case:
  bad = file(_PATH, make) if isinstance(make, bytes) else make
  return Case(
    f'image: {name}',
    PACK,
    (_PATH, *words),
    together(table, bad),
    memory=memory,
  )


CASES = (
  _image('none', removed(_PATH)),
  _image('empty', b'', 'empty'),
  _image('a folder', directory(_PATH)),
  _image('a FIFO', fifo(_PATH)),
  _image('endless', link(_PATH, '/dev/zero')),
  _image('random without end', link(_PATH, '/dev/urandom')),
  _image('a terminal', link(_PATH, '/dev/tty')),
  _image('a link to nothing', link(_PATH, 'nowhere.png')),
  _image('a link to itself', link(_PATH, '0.png')),
  _image('a link to a folder', link(_PATH, '.')),
  _image('text', b'hello, this is no image\n'),
  _image('zeros', bytes(100_000)),
  _image('HTML of a failed download', b'<!DOCTYPE html><html>404</html>'),
  _image('an LFS pointer', b'version https://git-lfs.github.com/spec/v1\n'),
  _image('JSON', b'{"error": "not found"}'),
  _image('a zip file', b'PK\3\4' + bytes(200)),
  _image('a PDF', b'%PDF-1.7\n' + bytes(200)),
  _image('SVG', b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
  _image('a sound', b'RIFF\x24\0\0\0WAVEfmt ' + bytes(99)),
  _image('an MP3', b'ID3\3\0\0\0\0\0\0' + bytes(99)),
  _image('a video', b'\0\0\0\x18ftypmp42' + bytes(99)),
  _image('a program', b'\x7fELF' + bytes(200)),
  _image('a pickle', b'\x80\x04\x95' + bytes(99)),
  _image('PNG: signature alone', b'\x89PNG\r\n\x1a\n'),
  _image('PNG: cut', _written('PNG')[:-20]),
  _image('PNG: cut by half', _written('PNG')[:600]),
  _image('PNG: a flipped bit', _flipped(_written('PNG'))),
  _image('PNG: a flipped bit of the header', _flipped(_written('PNG'), 0.006)),
  _image('PNG: no pixels', _png(0, 0)),
  _image('PNG: 0 pixels wide', _png(0, 32)),
  _image('PNG: rows are missing', _png(32, 32, rows=bytes(500))),
  _image('PNG: 32767 x 32767', _png(32767, 32767, rows=bytes(10**6)), '32767'),
  _image('PNG: 2^31 - 1 squared', _png(2**31 - 1, 2**31 - 1), '2147483647'),
  _image('PNG: 2^32 - 1 squared', _png(2**32 - 1, 2**32 - 1)),
  _image('PNG: one row of 10^9', _png(10**9, 1), '1000000000'),
  _image('PNG: depth 7', _png(32, 32, depth=7)),
  _image('PNG: colour type 5', _png(32, 32, colour=5)),
  _image(
    'PNG: a palette that is not there', _png(8, 8, colour=3, rows=bytes(72))
  ),
  _image(
    'PNG: unpacks to 200 MB',
    _png(16, 16, rows=bytes(200_000_000)),
  ),
  _image('JPEG: signature alone', b'\xff\xd8\xff'),
  _image('JPEG: cut', _written('JPEG')[:-40]),
  _image('JPEG: cut by half', _written('JPEG')[:500]),
  _image('JPEG: 65535 x 65535', _resized_jpeg(65535, 65535), '65535'),
  _image('JPEG: 0 x 0', _resized_jpeg(0, 0)),
  _image('JPEG: 0 high', _resized_jpeg(32, 0)),
  _image('JPEG: padding without end', b'\xff\xd8' + b'\xff' * 10**6),
  _image(
    'JPEG: markers without a frame', b'\xff\xd8' + b'\xff\xe0\0\x02' * 10**5
  ),
  _image('GIF: cut', _written('GIF')[:-60]),
  _image('GIF: 65535 x 65535', _resized_gif(65535, 65535), '65535'),
  _image('GIF: header alone', b'GIF89a\x20\0\x20\0\0\0\0'),
  _image('BMP: cut', _written('BMP')[:-60]),
  _image('BMP: 10^6 x 10^6', _resized_bmp(10**6, 10**6), '1000000'),
  _image('BMP: negative width', _resized_bmp(-32, 32)),
  _image('BMP: header alone', _written('BMP')[:54]),
  _image('WebP: cut', _written('WEBP')[:-60]),
  _image('WebP: header alone', _written('WEBP')[:30]),
  _image('WebP: flipped', _flipped(_written('WEBP', lossless=True), 0.04)),
  _image('TIFF: cut', _written('TIFF')[:-60]),
  _image('TIFF: header alone', b'II*\0\x08\0\0\0'),
  _image(
    'TIFF: a directory that names itself', b'II*\0\x08\0\0\0\0\0\x08\0\0\0'
  ),
  _image('TIFF: 10^9 x 10^9', _tiff(10**9, 10**9), '1000000000'),
  _image('TIFF: no pixels in the file', _tiff(64, 64)),
  _image('TIFF: 4 billion strips', _tiff(64, 64, strips=2**32 - 1)),
  _image('TIFF: 0 x 0', _tiff(0, 0)),
  _image('AVIF: cut', _written('AVIF')[:-60]),
  _image('AVIF: header alone', _written('AVIF')[:40]),
  _image('JPEG 2000: cut', _written('JPEG2000')[:-200]),
  _image('JPEG 2000: header alone', _written('JPEG2000')[:60]),
  _image('PNM: cut', _written('PPM')[:-60]),
  _image(
    'PNM: 10^9 x 10^9', b'P6\n1000000000 1000000000\n255\nabc', '1000000000'
  ),
  _image('PNM: digits without end', b'P6\n' + b'9' * 10**6),
  _image('PNM: 0 x 0', b'P6\n0 0\n255\n'),
  _image('floats', _written('TIFF', _PICTURE.convert('F'))),
)
