"""Faces in pictures: detectors, the crop with its margin, turning upright.

As in the papers the first face of dlib's frontal detector counts, each side
grows by a share of the box, and nothing is squared.
"""

import dataclasses
import functools
import importlib
import os
from typing import Any, Protocol

import cv2
import numpy as np

from input_pipeline.duplicates import sha256
from input_pipeline.errors import UserError

# Points of the 68 that surround the image's left and right eye.
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_CASCADE = 'haarcascade_frontalface_default.xml'
_SCALE_STEP, _NEIGHBOURS = 1.1, 5
# Smaller faces are not looked for: most false alarms are small, and most of
# the time goes there.
_SMALLEST = 0.1  # of the picture's shorter side


@dataclasses.dataclass(frozen=True)
class Face:
  """Where a face is, in pixels; `right` and `bottom` are exclusive.

  A detector may put a side outside the picture. `angle` is how far the line
  from eye to eye falls to the right, in degrees; 0 if nobody asked.
  """

  left: int
  top: int
  right: int
  bottom: int
  angle: float = 0.0


@dataclasses.dataclass(frozen=True)
class Crop:
  """How faces are cut out."""

  detector: str  # 'opencv' or 'dlib'
  margin: float  # 1.2: each side grows by a tenth of the box
  landmarks: str | None  # dlib's 68-point file; given, faces are turned upright


class Detector(Protocol):
  """Finds the face of uint8 [H, W, 3] RGB, or None."""

  # The library, its version and all parameters: whatever decides the result.
  name: str

  def __call__(self, image: np.ndarray) -> Face | None:
    """The face that counts, if any."""
    ...


@functools.lru_cache(maxsize=1)
def detector(crop: Crop) -> Detector:
  """The detector that `crop` names, one a process.

  Raises:
    UserError: what it needs is not installed, or the landmark file is bad.
  """
  if crop.detector == 'dlib':
    return DlibDetector(crop.landmarks)
  return OpenCVDetector()


class OpenCVDetector:
  """OpenCV's Haar cascade for frontal faces; of several the largest counts."""

  def __init__(self) -> None:
    path = os.path.join(cv2.data.haarcascades, _CASCADE)
    if not os.path.isfile(path):
      raise UserError(
        f'--crop=opencv: OpenCV {cv2.__version__} lacks {_CASCADE}; '
        '`pip install opencv-python-headless==4.14.0.94`'
      )
    self._cascade = cv2.CascadeClassifier(path)
    self.name = (
      f'opencv {cv2.__version__} {_CASCADE} scale={_SCALE_STEP} '
      f'neighbours={_NEIGHBOURS} smallest={_SMALLEST}'
    )

  def __call__(self, image: np.ndarray) -> Face | None:
    """The largest face."""
    smallest = int(_SMALLEST * min(image.shape[:2]))
    boxes = self._cascade.detectMultiScale(
      cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),
      scaleFactor=_SCALE_STEP,
      minNeighbors=_NEIGHBOURS,
      minSize=(smallest, smallest),
    )
    if len(boxes) == 0:
      return None
    # Ties go to the box furthest up and left: their order is not defined.
    left, top, width, height = min(
      ([int(x) for x in box] for box in boxes),
      key=lambda box: (-box[2] * box[3], box),
    )
    return Face(left, top, left + width, top + height)


class DlibDetector:
  """dlib's HOG detector for frontal faces, without enlarging the picture."""

  def __init__(self, landmarks: str | None = None) -> None:
    """Takes the path of dlib's 68-point file if faces are to be upright."""
    try:
      dlib: Any = importlib.import_module('dlib')
    except ImportError as error:
      raise UserError(
        '--crop=dlib: dlib is not installed; `pip install dlib-bin` (or dlib, '
        'which compiles for 20 minutes), or choose --crop=opencv'
      ) from error
    self._detect = dlib.get_frontal_face_detector()
    self.name = f'dlib {dlib.__version__} frontal upsample=0'
    self._points = None
    if landmarks is not None:
      self.name += f' landmarks={sha256(landmarks)}'
      try:
        self._points = dlib.shape_predictor(landmarks)
      except RuntimeError as error:
        raise UserError(
          f'bad landmark file: {landmarks}: {error}; it should be the unpacked '
          'shape_predictor_68_face_landmarks.dat of dlib'
        ) from error

  def __call__(self, image: np.ndarray) -> Face | None:
    """The first face, which is the one that dlib is surest of."""
    found = self._detect(image, 0)
    if len(found) == 0:
      return None
    box = found[0]
    angle = 0.0
    if self._points is not None:
      shape = self._points(image, box)
      if shape.num_parts != 68:
        raise UserError(
          f'bad landmark file: --align gives {shape.num_parts} points, 68 are '
          'needed'
        )
      angle = eye_angle(np.array([(p.x, p.y) for p in shape.parts()]))
    # dlib's last column and row are inclusive; the papers' code takes them as
    # exclusive, and so do we.
    return Face(box.left(), box.top(), box.right(), box.bottom(), angle)


def eye_angle(points: np.ndarray) -> float:
  """How far the line between the eyes' centres falls to the right, degrees.

  Args:
    points: [68, 2], x and y of the landmarks.
  """
  x, y = points[_RIGHT_EYE].mean(0) - points[_LEFT_EYE].mean(0)
  return float(np.degrees(np.arctan2(y, x)))


def cut(image: np.ndarray, face: Face, margin: float) -> np.ndarray:
  """Cuts a face out, turned about the middle of its box if it has an angle.

  Each side grows by (margin - 1) / 2 of the box's width or height, as far as
  the picture goes; what a turn brings in from outside is black.

  Args:
    image: uint8 [H, W, 3].
    face: a box that reaches into the picture.
    margin: 1 or more.

  Returns:
    uint8 [h, w, 3].
  """
  if face.angle:
    middle = ((face.left + face.right) / 2, (face.top + face.bottom) / 2)
    turn = cv2.getRotationMatrix2D(middle, face.angle, 1)
    image = cv2.warpAffine(image, turn, image.shape[1::-1])
  # Rounded down, as the papers' code does.
  across = int((face.right - face.left) * (margin - 1) / 2)
  down = int((face.bottom - face.top) * (margin - 1) / 2)
  left, top = max(face.left - across, 0), max(face.top - down, 0)
  return image[top : face.bottom + down, left : face.right + across]
