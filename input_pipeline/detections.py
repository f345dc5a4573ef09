"""Detected faces on file, so that no image goes through a detector twice.

The file has JSON lines: `{"image": sha256, "detector": name, "face": [left,
top, right, bottom, angle] or null}`, where `sha256` is of the image file. It
equals the `sha256` of a packed record.
"""

import dataclasses
import json
import math
from collections.abc import Mapping

from input_pipeline import storage, strict_json
from input_pipeline.errors import UserError
from input_pipeline.escape import quoted
from input_pipeline.faces import FaceBox

# From the sha256 of an image file to its face, or None if it has none.
Detections = Mapping[str, FaceBox | None]


def load_detections(path: str, detector: str) -> dict[str, FaceBox | None]:
  """Returns what a detector found before; empty if there is no such file.

  Args:
    path: a local path or a URL.
    detector: the name of the detector, `Detector.name`.

  Raises:
    UserError: the file is damaged.
  """
  return {
    image: face for (image, by), face in _read(path).items() if by == detector
  }


def save_detections(path: str, detector: str, found: Detections) -> None:
  """Adds what a detector found to the file, which is replaced in one step.

  Args:
    path: a local path or a URL.
    detector: the name of the detector, `Detector.name`.
    found: the new detections; if empty, nothing is written.

  Raises:
    UserError: the file is damaged or cannot be written.
  """
  if not found:
    return
  # Read again: another process may have added to the file meanwhile.
  known = _read(path) | {(image, detector): f for image, f in found.items()}
  lines = [
    json.dumps(
      {
        'image': image,
        'detector': by,
        'face': None if face is None else [*dataclasses.astuple(face)],
      },
      allow_nan=False,
    )
    # Sorted: the file does not depend on the order of the processes.
    for (image, by), face in sorted(known.items(), key=lambda item: item[0])
  ]
  storage.write_bytes(path, '\n'.join([*lines, '']).encode())


def _read(path: str) -> dict[tuple[str, str], FaceBox | None]:
  content = storage.read_bytes(path)
  known = {}
  for number, line in enumerate((content or b'').splitlines(), 1):
    try:
      entry = strict_json.loads(line)
      face = entry['face']
      known[str(entry['image']), str(entry['detector'])] = (
        None if face is None else _face_box(*face)
      )
    except (ValueError, TypeError, KeyError) as error:
      raise UserError(
        f'damaged file: {path}, line {number}: {quoted(error)}; remove '
        'the file, and the faces will be detected again'
      ) from error
  return known


def _face_box(
  left: int, top: int, right: int, bottom: int, angle: float
) -> FaceBox:
  sides = left, top, right, bottom
  if not all(type(x) is int and abs(x) < 2**31 for x in sides):
    raise ValueError('a box must be four integers of 32 bits')
  if left >= right or top >= bottom:
    raise ValueError('an empty box')
  if type(angle) not in (int, float) or not math.isfinite(angle):
    raise ValueError('the angle must be a number')
  return FaceBox(left, top, right, bottom, float(angle))
