"""Follows faces from one key frame of a video to the next.

Key frames may be seconds apart, so a face need not be where it was. Two faces
count as one person's if their colours are alike: those of skin, hair, and what
of the clothes and of the background the margin of the cut takes in. Where the
boxes of two successive key frames overlap, less alike ones do.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from input_pipeline.faces import FaceBox

# Two faces less alike than this are not linked.
_LEAST_ALIKE = 0.94
# What a full overlap of the boxes adds to how alike two faces are.
_OVERLAP = 0.05
# Hue, saturation and value; OpenCV's hue goes to 180.
_BINS, _RANGES = [8, 8, 4], [0, 180, 0, 256, 0, 256]


@dataclasses.dataclass(frozen=True)
class _Face:
  """A face in a key frame.

  Attributes:
    frame: the position of the key frame.
    box: the face in it.
    colours: see `_colours`.
  """

  frame: int
  box: FaceBox
  colours: np.ndarray


def follow_faces(
  boxes: Sequence[Sequence[FaceBox]],
  pictures: Sequence[Sequence[np.ndarray]],
) -> list[list[int]]:
  """Returns which faces of a video's key frames are of one person.

  Each face of a frame is compared with all faces of every track so far, so a
  face that leaves and returns goes on with its track. Of all ways to give each
  track at most one face of the frame, the one with the most alike pairs is
  taken. A face that is like none begins a track.

  A person whose light or pose changes much, or whom another one covers in part,
  gets several tracks. Two people who look alike may share one where the first
  leaves and the second comes.

  Args:
    boxes: the faces of each key frame.
    pictures: uint8 [S, S, 3] RGB, what is cut out for each of them.

  Returns:
    The number of each face's track, from 0, in the order in which they begin.
  """
  tracks: list[list[_Face]] = []
  found: list[list[int]] = []
  for frame, (here, cut) in enumerate(zip(boxes, pictures, strict=True)):
    seen = [
      _Face(frame, box, _colours(picture))
      for box, picture in zip(here, cut, strict=True)
    ]
    number_of = _linked(tracks, seen)
    numbers = []
    for position, face in enumerate(seen):
      number = number_of.get(position, len(tracks))
      if number == len(tracks):
        tracks.append([])
      tracks[number].append(face)
      numbers.append(number)
    found.append(numbers)
  return found


def _linked(
  tracks: Sequence[Sequence[_Face]], seen: Sequence[_Face]
) -> dict[int, int]:
  """Returns the track of each face of a frame that goes on with one."""
  # Takes a fifth of a second to import, which only videos need.
  from scipy import optimize

  if not tracks or not seen:
    return {}
  alike = np.array([[_alike(track, face) for face in seen] for track in tracks])
  # Pairs that are too unlike gain nothing, so they take no place from others.
  gain = np.maximum(alike - _LEAST_ALIKE, 0)
  pairs = zip(*optimize.linear_sum_assignment(gain, maximize=True), strict=True)
  return {
    int(position): int(number)
    for number, position in pairs
    if alike[number, position] >= _LEAST_ALIKE
  }


def _alike(track: Sequence[_Face], face: _Face) -> float:
  """Returns how alike a face and the most like one of a track are."""
  alike = max(float(x.colours @ face.colours) for x in track)
  if track[-1].frame == face.frame - 1:
    alike += _OVERLAP * overlap(track[-1].box, face.box)
  return alike


def overlap(one: FaceBox, other: FaceBox) -> float:
  """Returns the area that two boxes share, as a part of what both cover."""
  across = min(one.right, other.right) - max(one.left, other.left)
  down = min(one.bottom, other.bottom) - max(one.top, other.top)
  shared = max(across, 0) * max(down, 0)
  covered = _area(one) + _area(other) - shared
  return shared / covered if covered > 0 else 0.0


def _area(box: FaceBox) -> int:
  return max(box.right - box.left, 0) * max(box.bottom - box.top, 0)


def _colours(picture: np.ndarray) -> np.ndarray:
  """Returns a vector of length 1: the root of the share of each colour.

  The product of two such vectors is the Bhattacharyya coefficient, 1 for equal
  colours.
  """
  coloured = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
  count = cv2.calcHist([coloured], [0, 1, 2], None, _BINS, _RANGES)
  return np.sqrt(count.ravel() / count.sum())
