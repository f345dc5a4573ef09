"""Answers for every face of an image, where the training images were faces."""

import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.moving_faces import box_at, drawn_faces, scene
from helpers.video_files import write_video
from input_pipeline import faces
from input_pipeline.errors import UserError
from input_pipeline.faces import FaceBox
from input_pipeline.video_frames import read_frames
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


class FacesInTurn(faces.Detector):
  """Finds in each image the faces that a test says, in the order of images."""

  def __init__(self, boxes):
    self.boxes = iter(boxes)

  def faces(self, image):
    yield from next(self.boxes)


def test_one_answer_for_each_face_of_a_video(whole, cut, tmp_path, monkeypatch):
  """Two faces cross, one leaves and returns; another one comes."""
  people = drawn_faces(3)
  places = [
    {0: (10, 20), 1: (180, 20)},
    {0: (70, 20)},
    {1: (20, 20), 0: (120, 20)},
    {2: (20, 20), 0: (180, 20)},
  ]
  path = tmp_path / 'clip.mp4'
  write_video(path, [scene(people, x, k) for k, x in enumerate(places)])
  boxes = [[box_at(*at) for at in frame.values()] for frame in places]
  crops = [
    [faces.cut_face(pixels, box, 1.2) for box in of_frame]
    for (_, pixels), of_frame in zip(read_frames(str(path)), boxes, strict=True)
  ]
  wanted = [whole.predict(each) for each in crops]
  for faces_too in (False, True):
    found = FacesInTurn(boxes)
    monkeypatch.setattr(faces, 'detector', lambda crop, found=found: found)
    (video,) = TrainedRun(cut).predict(
      path, faces=faces_too, stability=faces_too
    )
    # The first face of each frame.
    assert video.faces == 2 and video.box is None and video.frames == 4
    assert_same_mean(video, [x[0] for x in wanted])
  seen = {0: [(0, 0), (1, 0), (2, 1), (3, 1)], 1: [(0, 1), (2, 0)], 2: [(3, 0)]}
  assert [x.face for x in video.of_faces] == [0, 1, 2]
  for person in video.of_faces:
    mine = seen[person.face]
    assert [x.frame for x in person.of_frames] == [k for k, _ in mine]
    assert person.frames == len(mine) and person.frame == mine[0][0]
    assert person.box == person.of_frames[0].box
    assert person.stability is not None and person.image == str(path)
    alone = [wanted[k][position] for k, position in mine]
    assert_same_mean(person, alone)
    for answer, other in zip(person.of_frames, alone, strict=True):
      assert_same(answer, other)
      assert answer.face == person.face and answer.frames is None
  assert [[x.face for x in frame.of_faces] for frame in video.of_frames] == [
    [0, 1],
    [0],
    [0, 1],
    [0, 2],
  ]
  lines = [*video.lines(faces=True)]
  assert [(x.frame, x.face, x.frames) for x in lines] == [
    (0, 0, 4),
    (0, 1, 2),
    (3, 2, 1),
    (None, None, 4),
  ]
  every = [*video.lines(faces=True, frames=True)]
  assert every[-4:] == lines and [(x.frame, x.face) for x in every[:5]] == [
    (0, 0),
    (0, 1),
    (0, None),
    (1, 0),
    (1, None),
  ]


def assert_same_mean(answer, alone):
  """One verdict of several frames is that of their mean log-probability."""
  mean = np.exp(np.mean([np.log(x.probability) for x in alone], 0))
  np.testing.assert_allclose(answer.probability, mean / mean.sum(), rtol=1e-3)


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
  assert [x['frames'] for x in lines] == ['1'] * 6
  answers = TrainedRun(cut).predict(scan.images, faces=True)
  answers.to_csv(tmp_path / 'mine.csv', faces=True)
  assert read_csv(tmp_path / 'mine.csv') == lines


def test_a_run_of_whole_images_has_no_faces(trained, whole):
  picture = imagesets.image(48, 1)
  assert whole.predict(picture)[0].faces is None
  with pytest.raises(UserError, match='no faces are .*: faces=True: .* leave'):
    whole.predict(picture, faces=True)
