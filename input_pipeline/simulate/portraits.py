"""Renders portraits: the content that every simulated class shares.

Shape, skin, hair, features, pose, light and background are drawn from one
distribution whatever the class, so that only a forgery's trace and its capture
tell classes apart.
"""

import dataclasses

import numpy as np

from input_pipeline.simulate.noise import add_grain, pink_noise, white_noise
from input_pipeline.simulate.portrait_features import (
  paint_eyes,
  paint_mouth,
  paint_nose,
)
from input_pipeline.simulate.portrait_head import paint_behind, paint_head
from input_pipeline.simulate.shapes import Scene, face_coordinates

# Colours, RGB.
_SKIN = (
  (244, 208, 182),
  (226, 180, 146),
  (198, 146, 112),
  (152, 106, 78),
  (92, 64, 48),
)
_HAIR = ((28, 24, 24), (70, 48, 36), (126, 90, 58), (192, 160, 106))
_RARE_HAIR = ((142, 80, 50), (168, 166, 162))


@dataclasses.dataclass(frozen=True)
class Portrait:
  """A picture and where its face is; S is its size in pixels.

  Attributes:
    image: [S, S, 3] float32 RGB in 0..255.
    u, v: [S, S] float32, each pixel in the face's own frame: the middle of the
      head is (0, 0), v = -1 the crown and +1 the chin, u to the right; u is
      shifted so that the features are at u = 0 even when the head is turned.
    unit: pixels per unit of that frame.
    eye_u, eye_v: the eyes are at (+-eye_u, eye_v).
    mouth_u, mouth_v: the mouth is at (0, mouth_v); mouth_u is half its width.
  """

  image: np.ndarray
  u: np.ndarray
  v: np.ndarray
  unit: float
  eye_u: float
  eye_v: float
  mouth_u: float
  mouth_v: float


def draw_portrait(rng: np.random.Generator, size: int) -> Portrait:
  """Renders one portrait of `size` x `size` pixels.

  The order of the draws from `rng` is part of the dataset: another order gives
  other images for the same seed.
  """
  centre = size * (0.5 + rng.uniform(-0.04, 0.04, 2))
  unit = size * rng.uniform(0.37, 0.45)
  u, v = face_coordinates(size, centre, unit, rng.normal(0, 0.1))
  turned = u - np.float32(np.clip(rng.normal(0, 0.06), -0.15, 0.15))
  points = {
    'eye_u': rng.uniform(0.27, 0.33),
    'eye_v': rng.uniform(-0.16, -0.04),
    'mouth_u': rng.uniform(0.2, 0.3),
    'mouth_v': rng.uniform(0.5, 0.58),
  }
  noise = pink_noise(rng, size, 4)
  strands = pink_noise(rng, size, 1, slope=0.6)[..., 0]
  scene = Scene(u, v, turned, noise, strands)
  canvas = _background(rng, scene)
  skin, hair = _colours(rng, scene)
  paint_behind(rng, canvas, scene, skin, hair)
  paint_head(rng, canvas, scene, skin, hair)
  paint_eyes(rng, canvas, scene, points['eye_u'], points['eye_v'])
  paint_nose(rng, canvas, scene)
  paint_mouth(rng, canvas, scene, points['mouth_u'], points['mouth_v'])
  _light(rng, canvas, scene)
  return Portrait(add_grain(rng, canvas), turned, v, unit, **points)


def _background(rng: np.random.Generator, scene: Scene) -> np.ndarray:
  """Returns a wall with a gradient and a coloured texture, [S, S, 3]."""
  u, v, noise = scene.u, scene.v, scene.noise
  colour = np.float32(rng.uniform(30, 225)) + white_noise(rng, 16, 3)
  gradient = white_noise(rng, 10, 2, 1) + white_noise(rng, 6, 2, 3)
  canvas = colour + u[..., None] * gradient[0] + v[..., None] * gradient[1]
  blotches = noise[..., :3] * np.float32(0.3) + noise[..., 3:]
  return canvas + np.float32(rng.uniform(3, 20)) * blotches


def _colours(
  rng: np.random.Generator, scene: Scene
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the skin's colour [3] and the hair's colours [S, S, 3]."""
  tones = np.array(_SKIN, np.float32)
  tone, part = divmod(rng.uniform(0, len(tones) - 1), 1)
  skin = tones[int(tone)] * (1 - part) + tones[int(tone) + 1] * part
  skin = (skin + white_noise(rng, 4, 3)).astype(np.float32)
  palette = _HAIR if rng.random() < 0.85 else _RARE_HAIR
  hair = np.array(palette[rng.integers(len(palette))], np.float32)
  hair = hair + white_noise(rng, 6, 3)
  comb = np.float32(rng.uniform(14, 34)) * (
    scene.u + white_noise(rng, 0.3) * scene.v
  )
  sheen = np.sin(comb + np.float32(2.5) * scene.noise[..., 3]) + scene.strands
  return skin, hair + (np.float32(0.07) * hair.mean() + 5) * sheen[..., None]


def _light(rng: np.random.Generator, canvas: np.ndarray, scene: Scene) -> None:
  """Applies exposure, tint and fall-off of the light, in place."""
  tint = np.float32(rng.uniform(0.75, 1.15)) * (1 + white_noise(rng, 0.03, 3))
  slope = white_noise(rng, 0.08, 2)
  canvas *= (1 + slope[0] * scene.u + slope[1] * scene.v)[..., None] * tint
