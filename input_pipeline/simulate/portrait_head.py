"""Paints a portrait's head, and the hair and shoulders behind it."""

import numpy as np

from input_pipeline.simulate.noise import white_noise
from input_pipeline.simulate.shapes import Scene, coverage, ellipse, paint


def paint_behind(
  rng: np.random.Generator,
  canvas: np.ndarray,
  scene: Scene,
  skin: np.ndarray,
  hair: np.ndarray,
) -> None:
  """Paints what the head partly hides: hair, shoulders, neck and ears.

  Args:
    rng: the source of randomness.
    canvas: [S, S, 3] float32 picture, painted in place.
    scene: the scene of the portrait.
    skin: [3] colour.
    hair: [S, S, 3] colours.
  """
  u, v = scene.u, scene.v
  volume = rng.uniform(0.78, 0.94)
  back = ellipse(u, v, (0, -0.12), (volume, 1.04))
  if rng.random() < 0.45:  # long hair
    fall = np.maximum(np.abs(u) - np.float32(volume), -0.1 - v)
    back = np.maximum(back, coverage(fall, 0.08))
  paint(canvas, back, hair)
  cloth = np.float32(rng.uniform(20, 220)) + white_noise(rng, 24, 3)
  cloth = cloth + np.float32(rng.uniform(2, 14)) * scene.noise[..., 1:2]
  paint(canvas, ellipse(u, v, (0, 1.95), (1.35, 0.72)), cloth)
  neck = ellipse(u, v, (0, 1.0), (0.38, 0.42))
  paint(canvas, neck, skin * np.float32(0.72))
  ears = ellipse(np.abs(u), v, (0.72, 0.02), (0.1, 0.2))
  paint(canvas, ears, skin * np.float32(0.85))


def paint_head(
  rng: np.random.Generator,
  canvas: np.ndarray,
  scene: Scene,
  skin: np.ndarray,
  hair: np.ndarray,
) -> None:
  """Paints the shaded, textured head and the hair in front of it.

  The arguments are those of `paint_behind`.
  """
  u, v = scene.u, scene.v
  width, jaw = rng.uniform(0.66, 0.76), np.float32(rng.uniform(0.12, 0.3))
  narrowing = 1 - jaw * np.square(np.clip(v + np.float32(0.1), 0, 1.2))
  across = u / (np.float32(width) * narrowing)
  square = across * across
  # Between an ellipse and a rectangle, so that the jaw is not pointed.
  distance = square + v * v + np.float32(0.25) * square * v * v - 1
  surface = _skin_surface(rng, scene, across, skin)
  if rng.random() < 0.25:
    _paint_beard(rng, surface, scene, hair)
  outline = coverage(distance * np.float32(width / 2), 0.06)
  paint(canvas, outline, surface)
  _paint_front_hair(rng, canvas, scene, width, hair)


def _skin_surface(
  rng: np.random.Generator,
  scene: Scene,
  across: np.ndarray,
  skin: np.ndarray,
) -> np.ndarray:
  """Returns the lit skin with its texture and red cheeks, [S, S, 3].

  Args:
    rng: the source of randomness.
    scene: the scene of the portrait.
    across: [S, S], -1..1 from one side of the head to the other.
    skin: [3] colour.
  """
  v, noise = scene.v, scene.noise
  square = across * across
  light = white_noise(rng, 0.11, 2)
  depth = np.sqrt(
    np.clip(1 - np.float32(0.8) * square - np.float32(0.6) * v * v, 0.05, 1)
  )
  brightness = 0.62 + np.float32(0.38) * depth + light[0] * across
  brightness = brightness + light[1] * v
  surface = (
    skin * brightness[..., None]
    + np.float32(rng.uniform(2, 6)) * noise[..., :1]
  )
  surface += np.float32(rng.uniform(1, 2.5)) * noise[..., 1:4]
  cheeks = ellipse(np.abs(scene.turned), v, (0.42, 0.28), (0.22, 0.2), 0.3)
  blush = np.array((7, -2, -1), np.float32) * np.float32(rng.random())
  surface += cheeks[..., None] * blush
  return surface


def _paint_beard(
  rng: np.random.Generator,
  surface: np.ndarray,
  scene: Scene,
  hair: np.ndarray,
) -> None:
  """Paints a beard or stubble onto the skin, in place."""
  outline = np.float32(0.42) + np.float32(0.3) * scene.turned**2 - scene.v
  beard = coverage(outline, 0.2)
  beard = beard * rng.uniform(0.2, 0.7) * (0.8 + 0.2 * scene.strands)
  paint(surface, np.clip(beard, 0, 1).astype(np.float32), hair)


def _paint_front_hair(
  rng: np.random.Generator,
  canvas: np.ndarray,
  scene: Scene,
  width: float,
  hair: np.ndarray,
) -> None:
  """Paints the hair above the forehead, in place."""
  u, v = scene.u, scene.v
  hairline = (
    np.float32(rng.uniform(-0.72, -0.5))
    + np.float32(rng.uniform(0.1, 0.5)) * u**2
  )
  hairline += white_noise(rng, 0.12) * u + np.float32(0.03) * scene.strands
  crown = ellipse(u, v, (0, -0.12), (width + 0.05, 1.02))
  paint(canvas, crown * coverage(v - hairline, 0.1), hair)
