"""Draws videos in which faces move."""

import cv2
import numpy as np

from input_pipeline.faces import FaceBox
from input_pipeline.simulate.portraits import draw_portrait

# Of a face, and of the picture that it moves in, in pixels.
SIZE = 64
HEIGHT, WIDTH = 110, 256


def drawn_faces(count):
  """Returns drawn faces, uint8 [SIZE, SIZE, 3]."""
  found = []
  for seed in range(count):
    portrait = draw_portrait(np.random.default_rng(seed), SIZE).image
    found.append(np.clip(portrait, 0, 255).astype(np.uint8))
  return found


def box_at(left, top):
  """Returns where a face is."""
  return FaceBox(left, top, left + SIZE, top + SIZE)


def scene(people, places, seed=0):
  """Draws faces on a wall, the last one in front, each in another light.

  `places` has the left and the top of each person.
  """
  rng = np.random.default_rng(seed)
  image = np.full((HEIGHT, WIDTH, 3), (150, 145, 140), np.float32)
  for person, (left, top) in places.items():
    light = rng.uniform(0.95, 1.05)
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), rng.uniform(-5, 5), 1)
    face = cv2.warpAffine(
      people[person], turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE
    )
    image[top : top + SIZE, left : left + SIZE] = light * face
  noise = rng.normal(0, 2, image.shape)
  return np.clip(image + noise, 0, 255).astype(np.uint8)
