"""Faces that are followed from one key frame of a video to the next."""

import numpy as np
import pytest

from helpers.moving_faces import SIZE, box_at, drawn_faces, scene
from input_pipeline.face_tracks import follow_faces, overlap
from input_pipeline.faces import FaceBox, cut_face

PEOPLE = drawn_faces(3)


def follow(*frames):
  """Follows faces through frames of {person: (left, top)}, drawn in order."""
  boxes, pictures = [], []
  for number, places in enumerate(frames):
    image = scene(PEOPLE, places, seed=number)
    here = [box_at(*place) for place in places.values()]
    boxes.append(here)
    pictures.append([cut_face(image, box, 1.2) for box in here])
  return follow_faces(boxes, pictures)


def test_two_faces_that_cross():
  """One walks to the right, the other to the left, in front of it."""
  both = [{0: (10 + 20 * k, 20), 1: (170 - 20 * k, 20)} for k in range(9)]
  # While they meet, the face behind is not found.
  front = [{1: both[k][1]} for k in (3, 4, 5)]
  numbers = follow(*both[:3], *front, *both[6:])
  assert numbers == [[0, 1]] * 3 + [[1]] * 3 + [[0, 1]] * 3


def test_the_order_in_which_a_frame_has_its_faces_does_not_matter():
  numbers = follow({0: (10, 20), 1: (120, 20)}, {1: (118, 20), 0: (14, 20)})
  assert numbers == [[0, 1], [1, 0]]


def test_a_face_that_leaves_and_returns_elsewhere():
  here, there = {0: (10, 20), 1: (100, 20)}, {1: (100, 22)}
  numbers = follow(here, there, {}, there, {1: (100, 20), 0: (180, 30)})
  assert numbers == [[0, 1], [1], [], [1], [1, 0]]


def test_a_cut_to_another_person_begins_a_track():
  assert follow({0: (90, 20)}, {0: (92, 20)}, {1: (90, 20)}) == [[0], [0], [1]]


def test_a_third_face_takes_no_place_of_the_others():
  first, second = {0: (10, 20), 1: (100, 20)}, {2: (50, 20), 0: (12, 20)}
  assert follow(first, second, first) == [[0, 1], [2, 0], [0, 1]]


def test_boxes_that_overlap_decide_between_faces_that_look_alike():
  picture = np.full((32, 32, 3), 90, np.uint8)
  left, right = box_at(0, 0), box_at(SIZE, 0)
  boxes = [[left, right], [box_at(SIZE + 3, 0), box_at(4, 2)]]
  assert follow_faces(boxes, [[picture] * 2] * 2) == [[0, 1], [1, 0]]


def test_no_faces():
  assert follow_faces([], []) == [] and follow({}, {}) == [[], []]


@pytest.mark.parametrize(
  'other, share',
  [
    ((0, 0, 10, 10), 1),
    ((5, 0, 15, 10), 1 / 3),
    ((10, 0, 20, 10), 0),
    ((20, 20, 30, 30), 0),
    ((4, 4, 4, 4), 0),
  ],
)
def test_overlap(other, share):
  one = FaceBox(0, 0, 10, 10)
  assert overlap(one, FaceBox(*other)) == pytest.approx(share)
