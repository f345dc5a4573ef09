"""Crops faces from a folder of the user's photos, as the content of images."""

import functools
import os
import pathlib

import cv2
import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.image_folders import scan_images, why_no_image
from input_pipeline.images import load_image
from input_pipeline.simulate.noise import add_grain
from input_pipeline.simulate.portraits import Portrait
from input_pipeline.simulate.shapes import face_coordinates

# Where the features of an average head lie in the face's frame, see `Portrait`.
_AVERAGE = {'eye_u': 0.3, 'eye_v': -0.1, 'mouth_u': 0.26, 'mouth_v': 0.52}
# Photos that a process keeps in memory, because detecting a face takes 30 ms.
_CACHED = 512


def find_photos(folder: str) -> tuple[str, ...]:
  """Returns the sorted paths of the readable images below `folder`.

  Raises:
    UserError: there is no such folder, or it holds no readable image.
  """
  root = pathlib.Path(folder)
  if not root.is_dir():
    raise UserError(
      f'no such folder: --faces={folder}; name a folder of photos'
    )
  # A file with an image's suffix may hold something else.
  photos = [p for p in scan_images(root).images if not why_no_image(p)]
  if not photos:
    raise UserError(
      f'no readable image: --faces={folder} has none that can be decoded; name '
      'a folder of photos'
    )
  return tuple(photos)


def crop_portrait(
  rng: np.random.Generator, size: int, photos: tuple[str, ...]
) -> Portrait:
  """Draws a photo and a random crop of `size` x `size` pixels around its face.

  Each photo is equally likely in each class, so that content does not tell the
  class. Shift, scale, roll, mirror image and exposure are drawn as for rendered
  portraits.

  Raises:
    UserError: the photo cannot be decoded.
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
  # Reducing the photo removed its own grain, which forgeries must destroy.
  image = add_grain(rng, image)
  u, v = face_coordinates(size, centre, unit, roll)
  return Portrait(image, u, v, unit, **_AVERAGE)


@functools.lru_cache(maxsize=_CACHED)
def _load(path: str, size: int) -> tuple[np.ndarray, np.ndarray, float]:
  """Loads a photo and finds its largest face.

  The photo is reduced until the head is about as large as in the crop, so that
  the later warp neither aliases nor enlarges.

  Args:
    path: the photo.
    size: the size of the crop, in pixels.

  Returns:
    The reduced picture, [H, W, 3] uint8 RGB; the middle of the head, [2] (x, y)
    in its pixels; half the head's height in its pixels.
  """
  try:
    picture = load_image(path)[..., ::-1]
  except UserError as error:
    raise UserError(f'{error}; repair or remove it') from error
  middle, half = _find_head(picture)
  scale = min(0.5 * size / half, 1.0)
  width = max(round(picture.shape[1] * scale), 1)
  height = max(round(picture.shape[0] * scale), 1)
  small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
  return small[..., ::-1], middle * scale, half * scale


def _find_head(picture: np.ndarray) -> tuple[np.ndarray, float]:
  """Returns the largest head's middle [2] and half height, in pixels.

  Without a face it returns a head in the middle of the picture.
  """
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
