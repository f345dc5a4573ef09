"""Faces in images: detectors, cutting out with a margin, turning upright.

As in the papers, packing takes the first face that dlib's frontal detector
finds. Each side of its box grows by a share of the box, and the box is not made
square.
"""

import dataclasses
import functools
import importlib
import os
from collections.abc import Iterator
from typing import Any, Protocol

import cv2
import numpy as np
from typing_extensions import override

from input_pipeline.errors import UserError
from input_pipeline.files import file_sha256

# The landmarks, of dlib's 68, around the eyes on the left and the right of the
# image.
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_CASCADE = 'haarcascade_frontalface_default.xml'
_SCALE_STEP, _NEIGHBOURS = 1.1, 5
# Smaller faces are not searched for: most false detections are small, and most
# of the time would be spent on them.
_SMALLEST = 0.1  # of the shorter side of the image


@dataclasses.dataclass(frozen=True)
class FaceBox:
  """Where a face is. A detector may put a side outside the image.

  Attributes:
    left: the left edge, in pixels.
    top: the top edge, in pixels.
    right: the right edge, in pixels, exclusive.
    bottom: the bottom edge, in pixels, exclusive.
    angle: degrees by which the line between the eyes falls to the right;
      0 if landmarks are not used.
  """

  left: int
  top: int
  right: int
  bottom: int
  angle: float = 0.0


@dataclasses.dataclass(frozen=True)
class Crop:
  """How faces are cut out.

  Attributes:
    detector: 'opencv' or 'dlib'.
    margin: the factor by which the box grows; 1.2 adds a tenth of it on each
      side.
    landmarks: the path of dlib's 68-point file, to turn faces upright; or None.
  """

  detector: str
  margin: float
  landmarks: str | None


class Detector(Protocol):
  """Finds the faces in an image.

  Attributes:
    name: the library, its version and all parameters that decide the result.
  """

  name: str

  def faces(self, image: np.ndarray) -> Iterator[FaceBox]:
    """Yields every face in uint8 [H, W, 3] RGB, first the one to pack."""
    ...

  def __call__(self, image: np.ndarray) -> FaceBox | None:
    """Returns the face to pack, or None if there is none.

    Args:
      image: uint8 [H, W, 3] RGB.
    """
    return next(self.faces(image), None)


# One is enough: all shards of a packing use the same crop.
@functools.lru_cache(maxsize=1)
def detector(crop: Crop) -> Detector:
  """Returns the detector that `crop` names, made once in each process.

  Raises:
    UserError: its library is not installed, or the landmark file is bad.
  """
  if crop.detector == 'dlib':
    return DlibDetector(crop.landmarks)
  return OpenCVDetector()


class OpenCVDetector(Detector):
  """OpenCV's Haar cascade for frontal faces, the largest face first."""

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

  @override
  def faces(self, image: np.ndarray) -> Iterator[FaceBox]:
    smallest = int(_SMALLEST * min(image.shape[:2]))
    boxes = self._cascade.detectMultiScale(
      cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),
      scaleFactor=_SCALE_STEP,
      minNeighbors=_NEIGHBOURS,
      minSize=(smallest, smallest),
    )
    # OpenCV returns boxes in no defined order; of equally large ones the
    # leftmost comes first, then the topmost.
    for left, top, width, height in sorted(
      ([int(x) for x in box] for box in boxes),
      key=lambda box: (-box[2] * box[3], box),
    ):
      yield FaceBox(left, top, left + width, top + height)


class DlibDetector(Detector):
  """dlib's HOG detector for frontal faces, on the image as it is.

  The most confident detection comes first.
  """

  def __init__(self, landmarks: str | None = None) -> None:
    """Loads dlib.

    Args:
      landmarks: the path of dlib's 68-point file, to turn faces upright.

    Raises:
      UserError: dlib is not installed, or the file is bad.
    """
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
      self.name += f' landmarks={file_sha256(landmarks)}'
      try:
        self._points = dlib.shape_predictor(landmarks)
      except RuntimeError as error:
        raise UserError(
          f'bad landmark file: {landmarks}: {error}; it should be the unpacked '
          'shape_predictor_68_face_landmarks.dat of dlib'
        ) from error

  @override
  def faces(self, image: np.ndarray) -> Iterator[FaceBox]:
    for box in self._detect(image, 0):
      # dlib's right and bottom are inclusive. The papers' code takes them as
      # exclusive; so does this one.
      yield FaceBox(
        box.left(),
        box.top(),
        box.right(),
        box.bottom(),
        self._angle(image, box),
      )

  def _angle(self, image: np.ndarray, box: Any) -> float:
    """Returns `FaceBox.angle` of a detection of dlib."""
    if self._points is None:
      return 0.0
    shape = self._points(image, box)
    if shape.num_parts != 68:
      raise UserError(
        f'bad landmark file: --align gives {shape.num_parts} points, not 68; '
        'use shape_predictor_68_face_landmarks.dat of dlib'
      )
    return eye_angle(np.array([(p.x, p.y) for p in shape.parts()]))


def eye_angle(points: np.ndarray) -> float:
  """Returns by how many degrees the line between the eyes falls to the right.

  Args:
    points: [68, 2], x and y of the landmarks in pixels.
  """
  x, y = points[_RIGHT_EYE].mean(0) - points[_LEFT_EYE].mean(0)
  return float(np.degrees(np.arctan2(y, x)))


def cut_face(image: np.ndarray, face: FaceBox, margin: float) -> np.ndarray:
  """Cuts out a face, turned upright about the middle of its box.

  Each side grows by (margin - 1) / 2 of the box's width or height, up to the
  border of the image. Turning fills areas outside the image with black.

  Args:
    image: uint8 [H, W, 3].
    face: a box that overlaps the image.
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
