"""Photographs as content: faces from a folder of the user's own pictures."""

import functools
import os
import pathlib

import cv2
import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.simulate.faces import Face, add_grain, frame

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
# Where features lie in the face's own frame (see `Face`) of an average head.
AVERAGE = {'eye_u': 0.3, 'eye_v': -0.1, 'mouth_u': 0.26, 'mouth_v': 0.52}
CACHED = 512  # photos a process keeps: a face detection costs 30 ms


def find_photos(folder: str) -> list[str]:
  """Paths of the readable images under `folder`, sorted.

  Raises:
    UserError: there is no such folder, or it holds no readable image.
  """
  root = pathlib.Path(folder)
  if not root.is_dir():
    raise UserError(
      f'no such folder: --faces={folder}; name a folder of photos'
    )
  files = sorted(
    str(path) for path in root.rglob('*') if path.suffix.lower() in SUFFIXES
  )
  photos = [path for path in files if cv2.haveImageReader(path)]
  if not photos:
    raise UserError(
      f'no readable image: --faces={folder} has none of {" ".join(SUFFIXES)}'
      ' that can be decoded; name a folder of photos'
    )
  return photos


def crop_face(rng: np.random.Generator, size: int, photos: list[str]) -> Face:
  """Draws one photo and a jittered crop of `size` pixels around its face.

  Every photo is as likely in every class; shift, scale, roll, mirror image and
  exposure are drawn as for rendered faces.
  """
  picture, middle, half = _load(photos[rng.integers(len(photos))], size)
  unit = size * rng.uniform(0.37, 0.45)
  centre = size * (0.5 + rng.uniform(-0.04, 0.04, 2))
  roll, scale = rng.normal(0, 0.1), unit / half
  cos, sin = scale * np.cos(roll), scale * np.sin(roll)
  turn = np.array(((cos, -sin), (sin, cos)))
  if rng.random() < 0.5:
    picture = picture[:, ::-1]
    middle = np.array((picture.shape[1] - middle[0], middle[1]))
  # OpenCV counts from pixel centres, `centre` and `middle` from corners.
  shift = centre - 0.5 - turn @ (middle - 0.5)
  matrix = np.concatenate((turn, shift[:, None]), axis=1)
  crop = cv2.warpAffine(
    np.ascontiguousarray(picture),
    matrix,
    (size, size),
    flags=cv2.INTER_LINEAR,
    borderMode=cv2.BORDER_REPLICATE,
  )
  image = crop.astype(np.float32) * np.float32(rng.uniform(0.8, 1.15))
  image = add_grain(rng, image)  # the photo lost its own when it was reduced
  u, v = frame(size, centre, unit, roll)
  return Face(image, u, v, unit, **AVERAGE)


@functools.lru_cache(maxsize=CACHED)
def _load(path: str, size: int) -> tuple[np.ndarray, np.ndarray, float]:
  """RGB picture, middle of the head [2] and half its height, in pixels.

  Reduced first, so that the head is about as large as in the crop: the later
  warp then neither aliases nor enlarges.
  """
  picture = cv2.imread(path, cv2.IMREAD_COLOR)
  if picture is None:
    raise UserError(f'cannot decode the photo: {path}; repair or remove it')
  middle, half = _locate(picture)
  scale = min(0.5 * size / half, 1.0)
  width = max(round(picture.shape[1] * scale), 1)
  height = max(round(picture.shape[0] * scale), 1)
  small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
  return small[..., ::-1], middle * scale, half * scale


def _locate(picture: np.ndarray) -> tuple[np.ndarray, float]:
  """Middle [2] and half height of the largest face, else of the centre."""
  height, width = picture.shape[:2]
  reduction = min(256 / min(height, width), 1.0)
  grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
  small = cv2.resize(grey, None, fx=reduction, fy=reduction)
  boxes = _detector().detectMultiScale(small, 1.1, 5, minSize=(48, 48))
  if len(boxes) == 0:
    return np.array((width / 2, height / 2)), 0.35 * min(height, width)
  largest = max(boxes, key=lambda box: box[2])
  x, y, wide, tall = (float(number) / reduction for number in largest)
  # The detector's box runs from the brows to the lips' lower edge.
  return np.array((x + wide / 2, y + 0.44 * tall)), 0.7 * tall


@functools.lru_cache(maxsize=1)
def _detector() -> cv2.CascadeClassifier:
  name = 'haarcascade_frontalface_default.xml'
  return cv2.CascadeClassifier(os.path.join(cv2.data.haarcascades, name))
