"""Answers for every face of an image, where the training images were faces."""

import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.video_files import write_video
from input_pipeline import faces
from input_pipeline.errors import UserError
from input_pipeline.faces import FaceBox
from owdfa_jax.evaluation.new_images import find_new_images
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.run import TrainedRun

pytestmark = pytest.mark.usefixtures('quick_compile')

BOXES = FaceBox(0, 0, 24, 40), FaceBox(24, 8, 44, 28)


class TwoFaces(faces.Detector):
  """Finds two faces in images of 48 pixels, and none in others."""

  def faces(self, image):
    if len(image) == 48:
      yield from BOXES


@pytest.fixture
def whole(trained):
  """A run that sees whole images."""
  return TrainedRun(trained)


@pytest.fixture
def cut(trained, monkeypatch):
  """The same experiment, whose training images were faces."""
  arguments = trained.dataset.description['made']['arguments']
  monkeypatch.setitem(arguments, 'crop', 'opencv')
  monkeypatch.setattr(faces, 'detector', lambda crop: TwoFaces())
  return trained


def assert_same(one, other):
  assert one.source == other.source
  np.testing.assert_allclose(
    one.probability, other.probability, rtol=1e-4, atol=1e-6
  )


def test_every_face_has_an_answer(whole, cut):
  images = [imagesets.image(48, seed) for seed in range(9)]
  bare = imagesets.image(40, 1)
  # More faces than a batch of 16 holds.
  answers = TrainedRun(cut).predict([*images, bare, '/none.png'], faces=True)
  crops = [faces.cut_face(x, box, 1.2) for x in images for box in BOXES]
  wanted = iter(whole.predict([*crops]))
  for image in answers[:9]:
    assert image.faces == 2 and image.face is None
    assert [x.face for x in image.of_faces] == [0, 1]
    assert [x.box for x in image.of_faces] == [
      (0, 0, 24, 40),
      (24, 8, 44, 28),
    ]
    for answer in image.of_faces:
      assert_same(answer, next(wanted))
      assert answer.image == image.image
    assert_same(image, image.of_faces[0])
    assert image.box == image.of_faces[0].box
  without, unreadable = answers[9:]
  assert without.faces == 0 and without.box is None and not without.of_faces
  assert_same(without, whole.predict(bare)[0])
  assert unreadable.error and unreadable.faces is None


def test_further_faces_change_no_other_answer(cut):
  images = [imagesets.image(48, seed) for seed in range(3)]
  run = TrainedRun(cut)
  for one, other in zip(
    run.predict(images), run.predict(images, faces=True), strict=True
  ):
    assert one.faces == other.faces == 2 and one.of_faces == ()
    assert_same(one, other)
    assert one.box == other.box and one.verdict == other.verdict


def test_the_faces_of_frames(whole, cut, tmp_path):
  path = tmp_path / 'clip.mp4'
  frames = [imagesets.image(48, seed) for seed in range(3)]
  write_video(path, frames)
  run = TrainedRun(cut)
  (plain,) = run.predict(path)
  (video,) = run.predict(path, faces=True, stability=True)
  assert_same(plain, video)
  assert video.faces == 2 and video.box is None and not video.of_faces
  for frame in video.of_frames:
    assert frame.faces == 2 and frame.box == (0, 0, 24, 40)
    assert [x.frame for x in frame.of_faces] == [frame.frame] * 2
    assert [x.face for x in frame.of_faces] == [0, 1]
    assert_same(frame, frame.of_faces[0])
    for answer in frame.of_faces:
      assert answer.stability is not None and answer.image == str(path)
  lines = [*video.lines(faces=True, frames=True)]
  assert [(x.frame, x.face) for x in lines] == [
    *((frame, face) for frame in range(3) for face in (0, 1, None)),
    (None, None),
  ]


def test_the_table_has_a_line_for_each_face(cut, tmp_path):
  for number in range(2):
    name, picture = f'{number}.mp4', imagesets.image(48, number)
    write_video(tmp_path / name, [picture])
  scan = find_new_images([str(tmp_path)], videos=True)
  out = tmp_path / 'out.csv'
  assert attribute(cut, scan, out=str(out), faces=True) == 0
  lines = read_csv(out)
  assert [(x['frame'], x['face'], x['box']) for x in lines] == 2 * [
    ('0', '0', '0 | 0 | 24 | 40'),
    ('0', '1', '24 | 8 | 44 | 28'),
    ('', '', ''),
  ]
  assert [x['faces'] for x in lines] == ['2'] * 6
  answers = TrainedRun(cut).predict(scan.images, faces=True)
  answers.to_csv(tmp_path / 'mine.csv', faces=True)
  assert read_csv(tmp_path / 'mine.csv') == lines


def test_a_run_of_whole_images_has_no_faces(trained, whole):
  picture = imagesets.image(48, 1)
  assert whole.predict(picture)[0].faces is None
  with pytest.raises(UserError, match='no faces are .*: faces=True: .* leave'):
    whole.predict(picture, faces=True)
