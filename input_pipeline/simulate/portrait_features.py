"""Paints a portrait's eyes, nose and mouth."""

import numpy as np

from input_pipeline.simulate.noise import white_noise
from input_pipeline.simulate.shapes import (
  Scene,
  coverage,
  ellipse,
  paint,
  shade,
)

_IRIS = ((84, 56, 36), (98, 128, 142), (96, 112, 66), (50, 36, 28))  # RGB


def paint_eyes(
  rng: np.random.Generator,
  canvas: np.ndarray,
  scene: Scene,
  eye_u: float,
  eye_v: float,
) -> None:
  """Paints sockets, lids, eyes and brows.

  Args:
    rng: the source of randomness.
    canvas: [S, S, 3] float32 picture, painted in place.
    scene: the scene of the portrait.
    eye_u, eye_v: the eyes are at (+-eye_u, eye_v).
  """
  v, side = scene.v, np.abs(scene.turned)
  tall, wide = rng.uniform(0.045, 0.075), rng.uniform(0.11, 0.14)
  socket = ellipse(side, v, (eye_u, eye_v), (0.2, 0.14), 0.2)
  shade(canvas, socket, rng.uniform(0.05, 0.25))
  lid = ellipse(side, v, (eye_u, eye_v - 0.02), (wide + 0.02, tall + 0.02))
  paint(canvas, lid * np.float32(0.75), (52, 36, 32))
  white = ellipse(side, v, (eye_u, eye_v), (wide, tall))
  paint(canvas, white, (226, 222, 218))
  _paint_iris(rng, canvas, scene, white, (eye_u, eye_v))
  lift, arch = rng.uniform(0.14, 0.2), np.float32(rng.uniform(0.1, 0.9))
  line = np.float32(eye_v - lift) + arch * np.square(
    side - np.float32(eye_u + 0.03)
  )
  brow = coverage(np.abs(v - line) - np.float32(rng.uniform(0.025, 0.05)), 0.05)
  brow *= coverage(np.abs(side - np.float32(eye_u)) - np.float32(0.16), 0.06)
  shade(canvas, brow, rng.uniform(0.4, 0.8))


def _paint_iris(
  rng: np.random.Generator,
  canvas: np.ndarray,
  scene: Scene,
  white: np.ndarray,
  eye: tuple[float, float],
) -> None:
  """Paints iris, pupil and glint within the coverage of the eye's white."""
  u, v, side = scene.turned, scene.v, np.abs(scene.turned)
  gaze = rng.normal(0, 0.02, 2)
  iris = np.array(_IRIS[rng.integers(len(_IRIS))], np.float32)
  iris = iris + white_noise(rng, 8, 3)
  # Both eyes look the same way: mirror the gaze, not the eye.
  aside = np.where(
    u < 0, side + np.float32(gaze[0]), side - np.float32(gaze[0])
  )
  at = (eye[0], eye[1] + gaze[1])
  paint(canvas, white * ellipse(aside, v, at, (0.065, 0.065)), iris)
  paint(canvas, white * ellipse(aside, v, at, (0.03, 0.03)), (12, 10, 10))
  glint = ellipse(aside, v, (at[0] + 0.02, at[1] - 0.02), (0.015, 0.015), 0.05)
  paint(canvas, white * glint, (250, 250, 250))


def paint_nose(
  rng: np.random.Generator, canvas: np.ndarray, scene: Scene
) -> None:
  """Paints a lit ridge, shaded flanks and nostrils, in place."""
  u, v, side = scene.turned, scene.v, np.abs(scene.turned)
  length = rng.uniform(0.24, 0.32)
  flank = ellipse(side, v, (0.09, length - 0.14), (0.05, 0.22), 0.12)
  shade(canvas, flank, rng.uniform(0.05, 0.2))
  shade(canvas, ellipse(u, v, (0, length - 0.22), (0.05, 0.26), 0.12), -0.1)
  wide = rng.uniform(0.07, 0.1)
  shade(canvas, ellipse(side, v, (wide, length), (0.05, 0.03)), 0.5)


def paint_mouth(
  rng: np.random.Generator,
  canvas: np.ndarray,
  scene: Scene,
  mouth_u: float,
  mouth_v: float,
) -> None:
  """Paints lips on a line bent up or down, sometimes open with teeth.

  Args:
    rng: the source of randomness.
    canvas: [S, S, 3] float32 picture, painted in place.
    scene: the scene of the portrait.
    mouth_u, mouth_v: the mouth is at (0, mouth_v); mouth_u is half its width.
  """
  u, v = scene.turned, scene.v
  bent = v + np.float32(rng.normal(0.2, 0.4)) * (u * u - np.float32(0.02))
  full, gap = rng.uniform(0.05, 0.085), rng.uniform(0.01, 0.05)
  lips = np.array((170, 84, 84), np.float32) + white_noise(rng, 12, 3)
  lips = np.float32(0.5) * canvas + np.float32(0.4) * lips
  paint(canvas, ellipse(u, bent, (0, mouth_v), (mouth_u, full)), lips)
  hole = ellipse(u, bent, (0, mouth_v), (mouth_u * 0.85, gap), 0.04)
  paint(canvas, hole, (62, 28, 28))
  if gap > 0.035:  # open wide enough for teeth
    at, radii = (0, mouth_v - 0.008), (mouth_u * 0.7, gap * 0.6)
    paint(canvas, ellipse(u, bent, at, radii, 0.03), (214, 208, 200))
  shade(canvas, ellipse(u, v, (0, mouth_v + 0.13), (0.14, 0.03), 0.08), 0.12)
