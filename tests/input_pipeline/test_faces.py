"""Detectors of faces, and cutting faces out."""

import importlib.util
import json

import cv2
import numpy as np
import pytest

from helpers.paths import DATA
from input_pipeline import faces, images
from input_pipeline.errors import UserError
from input_pipeline.faces import Crop, FaceBox

PHOTO = images.load_image(DATA / 'face.jpg')
# The centres of the eyes in the photograph, marked by hand: x and y.
EYES = np.array([[94, 97], [135, 97]])
needs_dlib = pytest.mark.skipif(
  importlib.util.find_spec('dlib') is None, reason='dlib is not installed'
)


def variants():
  """Returns variants of the photograph by name."""
  border = (60, 20, 10, 90)
  return {
    'photo': PHOTO,
    'mirrored': np.ascontiguousarray(PHOTO[:, ::-1]),
    'framed': cv2.copyMakeBorder(
      PHOTO, *border, cv2.BORDER_CONSTANT, value=(128, 128, 128)
    ),
    'cut': np.ascontiguousarray(PHOTO[60:]),
    'none': np.ascontiguousarray(PHOTO[150:]),
  }


def turned(angle):
  """Returns the photograph turned by `angle` degrees, the right eye down."""
  matrix = cv2.getRotationMatrix2D((112, 112), -angle, 1)
  return cv2.warpAffine(PHOTO, matrix, (224, 224), borderValue=(128,) * 3)


def test_opencv_finds_the_face():
  find = faces.OpenCVDetector()
  face = find(PHOTO)
  assert ((face.left, face.top) < EYES).all()
  assert ((face.right, face.bottom) > EYES).all()
  assert 80 < face.right - face.left < 130
  moved = find(variants()['framed'])
  assert abs(moved.left - face.left - 10) <= 6
  assert abs(moved.top - face.top - 60) <= 6
  assert find(variants()['none']) is None
  assert find(np.full((64, 64, 3), 90, np.uint8)) is None


def test_opencv_takes_the_largest_face():
  small = cv2.resize(PHOTO, (120, 120), interpolation=cv2.INTER_AREA)
  pair = np.full((224, 344, 3), 128, np.uint8)
  pair[:120, :120], pair[:, 120:] = small, PHOTO
  find = faces.OpenCVDetector()
  face = find(pair)
  assert face.left > 120
  assert face.right - face.left > 80
  first, second = find.faces(pair)
  assert first == face
  assert second.right < 120 and second.right - second.left < 80


@pytest.mark.parametrize('shape', [(1, 1), (1, 300), (9, 9)])
def test_no_image_is_too_small(shape):
  assert faces.OpenCVDetector()(np.zeros((*shape, 3), np.uint8)) is None


def test_a_detectors_name_has_its_version_and_parameters():
  name = faces.OpenCVDetector().name
  assert cv2.__version__ in name
  assert 'scale=1.1' in name


@pytest.mark.parametrize(
  ('face', 'margin', 'expected'),
  [
    # 15 and 10 more on each side.
    (FaceBox(30, 40, 180, 140), 1.2, (16, 31, 194, 149)),
    (FaceBox(30, 40, 180, 140), 1.5, (0, 15, 217, 165)),
    (FaceBox(30, 40, 180, 140), 1.0, (30, 40, 180, 140)),
    # Up to the border of the image.
    (FaceBox(5, 150, 105, 250), 1.2, (0, 141, 114, 200)),
    (FaceBox(-20, -10, 80, 90), 1.2, (0, 0, 89, 99)),
  ],
)
def test_the_margin_is_a_share_of_the_box(face, margin, expected):
  # Each pixel holds its own position.
  down, across = np.mgrid[:200, :220].astype(np.uint8)
  cut = faces.cut_face(np.dstack([across, down, down]), face, margin)
  left, top, right, bottom = expected
  assert cut.shape == (bottom - top, right - left, 3)
  assert cut[0, 0].tolist() == [left, top, top]
  assert cut[-1, -1].tolist() == [right - 1, bottom - 1, bottom - 1]


@pytest.mark.parametrize('angle', [-30, 0, 12.5])
def test_the_angle_is_that_of_the_eyes_centres(angle):
  points = np.random.default_rng(0).uniform(0, 99, (68, 2))
  around = np.random.default_rng(1).uniform(-3, 3, (6, 2))
  around -= around.mean(0)
  radians = np.radians(angle)
  apart = 40 * np.array([np.cos(radians), np.sin(radians)])
  points[36:42] = around + (50, 60)
  points[42:48] = around + (50, 60) + apart
  assert faces.eye_angle(points) == pytest.approx(angle)


@pytest.mark.parametrize('angle', [-20, 15])
def test_a_turned_face_is_cut_out_upright(angle):
  box = (64, 64, 160, 160)  # about the centre of the image, like `turned`
  upright = faces.cut_face(PHOTO, FaceBox(*box), 1.2)
  again = faces.cut_face(turned(angle), FaceBox(*box, angle), 1.2)
  crooked = faces.cut_face(turned(angle), FaceBox(*box), 1.2)
  assert again.shape == upright.shape

  def difference(other):
    return np.abs(other.astype(int) - upright).mean()

  assert difference(again) < 4
  assert difference(again) < difference(crooked) / 3


def test_a_missing_dlib_is_named(monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'dlib', None)
  with pytest.raises(UserError, match='--crop=dlib: .*pip install dlib-bin'):
    faces.DlibDetector()


def test_a_missing_cascade_is_named(monkeypatch, tmp_path):
  monkeypatch.setattr(cv2.data, 'haarcascades', str(tmp_path))
  with pytest.raises(UserError, match='--crop=opencv: OpenCV .* lacks'):
    faces.OpenCVDetector()


def test_a_detector_is_made_once_in_a_process():
  crop = Crop('opencv', 1.2, None)
  assert faces.detector(crop) is faces.detector(Crop('opencv', 1.2, None))


@needs_dlib
def test_dlib_finds_the_recorded_boxes():
  expected = json.loads((DATA / 'dlib_boxes.json').read_text())
  find = faces.DlibDetector()
  for name, picture in variants().items():
    box = expected[name]
    assert find(picture) == (None if box is None else FaceBox(*box)), name


@needs_dlib
def test_landmarks_turn_faces_upright(tmp_path):
  train_landmarks(tmp_path / 'points.dat')
  find = faces.DlibDetector(str(tmp_path / 'points.dat'))
  assert abs(find(PHOTO).angle) < 2
  assert find(turned(12)).angle == pytest.approx(12, abs=4)
  assert find(turned(-12)).angle == pytest.approx(-12, abs=4)
  assert 'landmarks=' in find.name


@needs_dlib
def test_a_bad_landmark_file_is_named(tmp_path):
  path = tmp_path / 'points.dat'
  with pytest.raises(UserError, match='cannot read'):
    faces.DlibDetector(str(path))
  path.write_bytes(b'not one')
  with pytest.raises(UserError, match=f'bad landmark file: {path}'):
    faces.DlibDetector(str(path))


def train_landmarks(path):
  """Writes a 68-point file trained on this one face at several angles."""
  import dlib

  pictures, shapes = [], []
  for angle in np.linspace(-20, 20, 9):
    matrix = cv2.getRotationMatrix2D((112, 112), -angle, 1)
    eyes = np.rint(EYES @ matrix[:, :2].T + matrix[:, 2]).astype(int)
    middle = eyes.mean(0).astype(int)
    points = [dlib.point(*map(int, middle))] * 68
    points[36:42] = [dlib.point(*map(int, eyes[0]))] * 6
    points[42:48] = [dlib.point(*map(int, eyes[1]))] * 6
    picture = turned(angle)
    for box in dlib.get_frontal_face_detector()(picture, 0)[:1]:
      pictures.append(picture)
      shapes.append([dlib.full_object_detection(box, points)])
  options = dlib.shape_predictor_training_options()
  options.tree_depth, options.cascade_depth = 3, 6
  options.num_trees_per_cascade_level = 60
  options.oversampling_amount = 20
  options.random_seed = '1'
  dlib.train_shape_predictor(pictures, shapes, options).save(str(path))
