"""Faces found before, by the hash of the image file: detected once, ever.

A file of JSON lines: `{"image": sha256, "detector": name, "face": [left, top,
right, bottom, angle] or null}`. A record's `sha256` leads from a packed image
to its line.
"""

import dataclasses
import json
from collections.abc import Mapping

from input_pipeline import storage
from input_pipeline.errors import UserError
from input_pipeline.faces import Face

# From an image file's sha256 to its face, None where it has none.
Detections = Mapping[str, Face | None]


def load(path: str, detector: str) -> dict[str, Face | None]:
  """What `detector` found before; nothing where there is no such file.

  Args:
    path: a local path or a URL.
    detector: `Detector.name`.

  Raises:
    UserError: the file is damaged.
  """
  return {
    image: face for (image, by), face in _read(path).items() if by == detector
  }


def save(path: str, detector: str, found: Detections) -> None:
  """Adds what `detector` found to the file, which is never seen half written.

  Raises:
    UserError: it cannot be written, or is damaged.
  """
  if not found:
    return
  # Read again: another packing may have added to it meanwhile.
  known = _read(path) | {(image, detector): f for image, f in found.items()}
  lines = [
    json.dumps(
      {
        'image': image,
        'detector': by,
        'face': None if face is None else [*dataclasses.astuple(face)],
      }
    )
    for (image, by), face in sorted(known.items(), key=lambda item: item[0])
  ]
  storage.write_bytes(path, '\n'.join([*lines, '']).encode())


def _read(path: str) -> dict[tuple[str, str], Face | None]:
  content = storage.read_bytes(path)
  known = {}
  for number, line in enumerate((content or b'').splitlines(), 1):
    try:
      entry = json.loads(line)
      face = entry['face']
      known[str(entry['image']), str(entry['detector'])] = (
        None if face is None else _face(*face)
      )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
      raise UserError(
        f'damaged file: {path}, line {number}: {error!r}; remove it, and the '
        'faces will be detected again'
      ) from error
  return known


def _face(left: int, top: int, right: int, bottom: int, angle: float) -> Face:
  if not all(type(x) is int for x in (left, top, right, bottom)):
    raise ValueError('a box must be four integers')
  if left >= right or top >= bottom:
    raise ValueError('an empty box')
  return Face(left, top, right, bottom, float(angle))
