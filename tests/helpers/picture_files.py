"""Image files of kinds that no installed library writes: PNG, BMP, PAM bits."""

import struct
import zlib
from collections.abc import Iterable

import numpy as np

# x, y, step in x, step in y of the passes of an interlaced PNG.
_PASSES = (
  (0, 0, 8, 8),
  (4, 0, 8, 8),
  (0, 4, 4, 8),
  (2, 0, 4, 4),
  (0, 2, 2, 4),
  (1, 0, 2, 2),
  (0, 1, 1, 2),
)


def png_chunk(kind: bytes, content: bytes) -> bytes:
  crc = zlib.crc32(kind + content)
  return (
    struct.pack('>I', len(content)) + kind + content + struct.pack('>I', crc)
  )


def png(
  samples: np.ndarray,
  depth: int,
  colour: int,
  *,
  interlaced: bool = False,
  palette: np.ndarray | None = None,
  chunks: bytes = b'',
) -> bytes:
  """Returns a PNG of samples [H, W, C] of the colour type `colour`."""
  height, width = samples.shape[:2]
  header = struct.pack(
    '>IIBBBBB', width, height, depth, colour, 0, 0, int(interlaced)
  )
  parts = [samples]
  if interlaced:
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in _PASSES]
  rows = b''.join(_png_rows(part, depth) for part in parts if part.size)
  content = b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', header)
  if palette is not None:
    content += png_chunk(b'PLTE', palette.astype(np.uint8).tobytes())
  content += chunks + png_chunk(b'IDAT', zlib.compress(rows))
  return content + png_chunk(b'IEND', b'')


def _png_rows(samples: np.ndarray, depth: int) -> bytes:
  lines = samples.reshape(len(samples), -1)
  if depth == 16:
    rows = [line.astype('>u2').tobytes() for line in lines]
  else:
    rows = [packed_bits(line, depth) for line in lines]
  return b''.join(b'\0' + row for row in rows)  # 0: no filter


def packed_bits(values: np.ndarray, depth: int) -> bytes:
  """Returns values of 1, 2, 4 or 8 bits as bytes, the first ones on top."""
  shifts = np.arange(depth - 1, -1, -1)
  bits = (values.astype(int)[:, None] >> shifts) & 1
  return np.packbits(bits.astype(np.uint8)).tobytes()


def bmp(
  bits: int,
  rows: Iterable[bytes] | bytes,
  width: int,
  height: int,
  *,
  palette: bytes = b'',
  compression: int = 0,
  masks: bytes = b'',
  header: int = 40,
  top_down: bool = False,
) -> bytes:
  """Returns a BMP.

  Args:
    bits: of a pixel.
    rows: the rows from the last to the first, or compressed data.
    width: pixels.
    height: pixels.
    palette: four bytes a colour: blue, green, red, 0.
    compression: 0, 1 and 2 (run lengths of 8 and 4 bits), 3 (bit fields).
    masks: of the bit fields.
    header: its length; 40, 108 (version 4) or 124 (version 5).
    top_down: the rows are from the first to the last.
  """
  data = rows if isinstance(rows, bytes) else b''.join(map(_padded, rows))
  info = struct.pack(
    '<IiiHHIIiiII',
    header,
    width,
    -height if top_down else height,
    1,
    bits,
    compression,
    len(data),
    0,
    0,
    len(palette) // 4,
    0,
  )
  info += masks + bytes(max(header - 40 - len(masks), 0)) + palette
  start = struct.pack('<IHHI', 14 + len(info) + len(data), 0, 0, 14 + len(info))
  return b'BM' + start + info + data


def _padded(row: bytes) -> bytes:
  return row + bytes(-len(row) % 4)


def tiff(tags: dict[int, Iterable[int]], strip: bytes) -> bytes:
  """Returns a little-endian TIFF of one strip.

  Args:
    tags: the values of each tag, all of them 32 bits; those of the strip's
      place (273) and length (279) are added.
    strip: its bytes.
  """
  tags = {279: [len(strip)], **tags, 273: [8]}
  at = 8 + len(strip) + 2 + 12 * len(tags) + 4  # of the values
  entries, values = b'', b''
  for tag, given in sorted(tags.items()):
    numbers = [*given]
    packed = struct.pack(f'<{len(numbers)}I', *numbers)
    place = packed if len(numbers) == 1 else struct.pack('<I', at + len(values))
    values += packed if len(numbers) > 1 else b''
    entries += struct.pack('<HHI', tag, 4, len(numbers)) + place
  head = b'II*\0' + struct.pack('<I', 8 + len(strip)) + strip
  return head + struct.pack('<H', len(tags)) + entries + bytes(4) + values
