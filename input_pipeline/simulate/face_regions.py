"""Masks of parts of a face, which forgeries replace."""

import numpy as np

from input_pipeline.simulate.portraits import Portrait
from input_pipeline.simulate.shapes import coverage, ellipse


def region_mask(portrait: Portrait, name: str) -> np.ndarray:
  """Returns the mask of a named part of the face, [S, S] float32 in 0..1.

  Args:
    portrait: the picture and where its face is.
    name: 'mouth', 'mouth_and_eyes', 'oval' (the inner face), 'hull' (brows to
      chin, like the convex hull of facial landmarks), 'box' (a detector's box),
      'head' or 'hair'.

  Raises:
    ValueError: there is no such region.
  """
  u, v, edge = portrait.u, portrait.v, 1.5 / portrait.unit
  if name == 'mouth':
    return _mouth(portrait, edge)
  if name == 'mouth_and_eyes':
    at, radii = (portrait.eye_u, portrait.eye_v - 0.06), (0.22, 0.2)
    eyes = ellipse(np.abs(u), v, at, radii, edge)
    return np.maximum(_mouth(portrait, edge), eyes)
  if name == 'oval':
    return ellipse(u, v, (0, 0.18), (0.54, 0.68), edge)
  if name == 'hull':
    low = ellipse(u, v, (0, 0.02), (0.62, 0.88), edge)
    return low * coverage(-0.32 - v, edge)
  if name == 'box':
    return coverage(np.maximum(np.abs(u) - 0.5, np.abs(v - 0.2) - 0.55), edge)
  if name == 'head':
    return ellipse(u, v, (0, -0.1), (0.86, 1.06), edge)
  if name == 'hair':
    above = coverage(v + 0.4, edge)
    return ellipse(u, v, (0, -0.12), (0.95, 1.1), edge) * above
  raise ValueError(f'no face region is called {name!r}')


def _mouth(portrait: Portrait, edge: float) -> np.ndarray:
  at, radii = (0.0, portrait.mouth_v), (portrait.mouth_u + 0.2, 0.28)
  return ellipse(portrait.u, portrait.v, at, radii, edge)


def brush_strokes(portrait: Portrait, rng: np.random.Generator) -> np.ndarray:
  """Returns four random strokes of a user's brush, [S, S] float32 in 0..1."""
  mask = np.zeros_like(portrait.u)
  for _ in range(4):
    at = (rng.uniform(-0.4, 0.4), rng.uniform(-0.6, 0.7))
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = portrait.u - np.float32(at[0]), portrait.v - np.float32(at[1])
    stroke = ellipse(cos * u + sin * v, cos * v - sin * u, (0, 0), (0.4, 0.13))
    mask = np.maximum(mask, stroke)
  return mask
