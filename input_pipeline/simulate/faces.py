"""Procedural portraits: the content that every simulated class shares.

Shape, skin, hair, features, pose, light and background are drawn from one
distribution whatever the class, so only a forgery's trace tells classes apart.
"""

import dataclasses

import numpy as np

SKIN = (
  (244, 208, 182),
  (226, 180, 146),
  (198, 146, 112),
  (152, 106, 78),
  (92, 64, 48),
)
HAIR = ((28, 24, 24), (70, 48, 36), (126, 90, 58), (192, 160, 106))
RARE_HAIR = ((142, 80, 50), (168, 166, 162))
IRIS = ((84, 56, 36), (98, 128, 142), (96, 112, 66), (50, 36, 28))


@dataclasses.dataclass(frozen=True)
class Face:
  """A picture and where its face is.

  image: [S, S, 3] float32 RGB in 0..255.
  u, v: [S, S] float32, each pixel in the face's own frame: the middle of the
    head is (0, 0), v = -1 the crown and +1 the chin, u to the right; u is
    shifted so that the features are at u = 0 even when the head is turned.
  unit: pixels per unit of that frame.
  eye_u, eye_v: the eyes are at (+-eye_u, eye_v).
  mouth_u, mouth_v: the mouth is at (0, mouth_v), mouth_u is its half-width.
  """

  image: np.ndarray
  u: np.ndarray
  v: np.ndarray
  unit: float
  eye_u: float
  eye_v: float
  mouth_u: float
  mouth_v: float


def frame(
  size: int, centre: np.ndarray, unit: float, roll: float
) -> tuple[np.ndarray, np.ndarray]:
  """Face coordinates (u, v) of every pixel centre, two [S, S] float32.

  `centre` [2] and `unit` in pixels, `roll` in radians (clockwise).
  """
  along = np.arange(size, dtype=np.float32) + np.float32(0.5)
  x = ((along - np.float32(centre[0])) / np.float32(unit))[None, :]
  y = ((along - np.float32(centre[1])) / np.float32(unit))[:, None]
  cos, sin = np.float32(np.cos(roll)), np.float32(np.sin(roll))
  return cos * x + sin * y, cos * y - sin * x


def inside(distance: np.ndarray, edge: float) -> np.ndarray:
  """Coverage 1..0 where a signed distance crosses zero over `edge`."""
  return np.clip(np.float32(0.5) - distance * np.float32(1 / edge), 0, 1)


def ellipse(
  u: np.ndarray,
  v: np.ndarray,
  centre: tuple[float, float],
  radii: tuple[float, float],
  edge: float = 0.06,
) -> np.ndarray:
  """Coverage [S, S] in 0..1 of an ellipse with a linear edge (face units)."""
  a = (u - np.float32(centre[0])) * np.float32(1 / radii[0])
  b = (v - np.float32(centre[1])) * np.float32(1 / radii[1])
  # (r^2 - 1) / 2 is r - 1 to first order at the edge, without a square root.
  return inside((a * a + b * b - 1) * np.float32(min(radii) / 2), edge)


def pink_noise(
  rng: np.random.Generator, size: int, fields: int, slope: float = 1.0
) -> np.ndarray:
  """Noise with amplitude 1 / frequency**slope, as in natural images.

  Returns [S, S, fields] float32 of unit variance.
  """
  fy = np.fft.fftfreq(size).astype(np.float32)[:, None, None]
  fx = np.fft.rfftfreq(size).astype(np.float32)[None, :, None]
  radius = np.sqrt(fy * fy + fx * fx)
  radius[0, 0] = np.inf
  shape = (size, size // 2 + 1, fields)
  spectrum = rng.standard_normal((*shape, 2), dtype=np.float32)
  spectrum = spectrum.view(np.complex64)[..., 0] / radius**slope
  noise = np.fft.irfft2(spectrum, s=(size, size), axes=(0, 1))
  return (noise / (noise.std(axis=(0, 1)) + 1e-6)).astype(np.float32)


def draw_face(rng: np.random.Generator, size: int) -> Face:
  """Draws one portrait of `size` x `size` pixels."""
  centre = size * (0.5 + rng.uniform(-0.04, 0.04, 2))
  unit = size * rng.uniform(0.37, 0.45)
  u, v = frame(size, centre, unit, rng.normal(0, 0.1))
  turned = u - np.float32(np.clip(rng.normal(0, 0.06), -0.15, 0.15))
  points = {
    'eye_u': rng.uniform(0.27, 0.33),
    'eye_v': rng.uniform(-0.16, -0.04),
    'mouth_u': rng.uniform(0.2, 0.3),
    'mouth_v': rng.uniform(0.5, 0.58),
  }
  noise = pink_noise(rng, size, 4)
  strands = pink_noise(rng, size, 1, slope=0.6)[..., 0]
  canvas = _background(rng, u, v, noise)
  skin, hair = _colours(rng, u, v, noise, strands)
  _behind(rng, canvas, u, v, noise, skin, hair)
  _head(rng, canvas, u, v, turned, noise, strands, skin, hair)
  _eyes(rng, canvas, turned, v, points['eye_u'], points['eye_v'])
  _nose(rng, canvas, turned, v)
  _mouth(rng, canvas, turned, v, points['mouth_u'], points['mouth_v'])
  _light(rng, canvas, u, v)
  return Face(add_grain(rng, canvas), turned, v, unit, **points)


def add_grain(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
  """Photographic grain, whose absence later betrays a resampled region."""
  grain = _normal(rng, rng.uniform(3, 5), *image.shape)
  return np.clip(image + grain, 0, 255)


def _normal(rng: np.random.Generator, scale: float, *shape: int) -> np.ndarray:
  return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def _paint(
  canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray | tuple[int, ...]
) -> None:
  canvas += mask[..., None] * (np.asarray(colour, np.float32) - canvas)


def _shade(canvas: np.ndarray, mask: np.ndarray, amount: float) -> None:
  canvas *= (1 - np.float32(amount) * mask)[..., None]


def _background(
  rng: np.random.Generator, u: np.ndarray, v: np.ndarray, noise: np.ndarray
) -> np.ndarray:
  """A wall with a gradient and a coloured texture, [S, S, 3]."""
  colour = np.float32(rng.uniform(30, 225)) + _normal(rng, 16, 3)
  gradient = _normal(rng, 10, 2, 1) + _normal(rng, 6, 2, 3)
  canvas = colour + u[..., None] * gradient[0] + v[..., None] * gradient[1]
  blotches = noise[..., :3] * np.float32(0.3) + noise[..., 3:]
  return canvas + np.float32(rng.uniform(3, 20)) * blotches


def _colours(
  rng: np.random.Generator,
  u: np.ndarray,
  v: np.ndarray,
  noise: np.ndarray,
  strands: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """The skin's colour [3] and the hair's colours [S, S, 3]."""
  tones = np.array(SKIN, np.float32)
  tone, part = divmod(rng.uniform(0, len(tones) - 1), 1)
  skin = tones[int(tone)] * (1 - part) + tones[int(tone) + 1] * part
  skin = (skin + _normal(rng, 4, 3)).astype(np.float32)
  palette = HAIR if rng.random() < 0.85 else RARE_HAIR
  hair = np.array(palette[rng.integers(len(palette))], np.float32)
  hair = hair + _normal(rng, 6, 3)
  comb = np.float32(rng.uniform(14, 34)) * (u + _normal(rng, 0.3) * v)
  sheen = np.sin(comb + np.float32(2.5) * noise[..., 3]) + strands
  return skin, hair + (np.float32(0.07) * hair.mean() + 5) * sheen[..., None]


def _behind(
  rng: np.random.Generator,
  canvas: np.ndarray,
  u: np.ndarray,
  v: np.ndarray,
  noise: np.ndarray,
  skin: np.ndarray,
  hair: np.ndarray,
) -> None:
  """What the head hides: hair at the back, shoulders, neck, ears."""
  volume = rng.uniform(0.78, 0.94)
  back = ellipse(u, v, (0, -0.12), (volume, 1.04))
  if rng.random() < 0.45:  # long hair
    fall = np.maximum(np.abs(u) - np.float32(volume), -0.1 - v)
    back = np.maximum(back, inside(fall, 0.08))
  _paint(canvas, back, hair)
  cloth = np.float32(rng.uniform(20, 220)) + _normal(rng, 24, 3)
  cloth = cloth + np.float32(rng.uniform(2, 14)) * noise[..., 1:2]
  _paint(canvas, ellipse(u, v, (0, 1.95), (1.35, 0.72)), cloth)
  _paint(canvas, ellipse(u, v, (0, 1.0), (0.38, 0.42)), skin * np.float32(0.72))
  ears = ellipse(np.abs(u), v, (0.72, 0.02), (0.1, 0.2))
  _paint(canvas, ears, skin * np.float32(0.85))


def _head(
  rng: np.random.Generator,
  canvas: np.ndarray,
  u: np.ndarray,
  v: np.ndarray,
  turned: np.ndarray,
  noise: np.ndarray,
  strands: np.ndarray,
  skin: np.ndarray,
  hair: np.ndarray,
) -> None:
  """The shaded, textured head; cheeks, beard and the hair in front."""
  width, jaw = rng.uniform(0.66, 0.76), np.float32(rng.uniform(0.12, 0.3))
  narrowing = 1 - jaw * np.square(np.clip(v + np.float32(0.1), 0, 1.2))
  across = u / (np.float32(width) * narrowing)
  square = across * across
  distance = square + v * v + np.float32(0.25) * square * v * v - 1
  light = _normal(rng, 0.11, 2)
  depth = np.sqrt(
    np.clip(1 - np.float32(0.8) * square - np.float32(0.6) * v * v, 0.05, 1)
  )
  shade = 0.62 + np.float32(0.38) * depth + light[0] * across + light[1] * v
  surface = (
    skin * shade[..., None] + np.float32(rng.uniform(2, 6)) * noise[..., :1]
  )
  surface += np.float32(rng.uniform(1, 2.5)) * noise[..., 1:4]
  cheeks = ellipse(np.abs(turned), v, (0.42, 0.28), (0.22, 0.2), 0.3)
  blush = np.array((7, -2, -1), np.float32) * np.float32(rng.random())
  surface += cheeks[..., None] * blush
  if rng.random() < 0.25:  # beard or stubble
    beard = inside(np.float32(0.42) + np.float32(0.3) * turned**2 - v, 0.2)
    beard = np.clip(beard * rng.uniform(0.2, 0.7) * (0.8 + 0.2 * strands), 0, 1)
    _paint(surface, beard.astype(np.float32), hair)
  _paint(canvas, inside(distance * np.float32(width / 2), 0.06), surface)
  hairline = (
    np.float32(rng.uniform(-0.72, -0.5))
    + np.float32(rng.uniform(0.1, 0.5)) * u**2
  )
  hairline += _normal(rng, 0.12) * u + np.float32(0.03) * strands
  crown = ellipse(u, v, (0, -0.12), (width + 0.05, 1.02))
  _paint(canvas, crown * inside(v - hairline, 0.1), hair)


def _eyes(
  rng: np.random.Generator,
  canvas: np.ndarray,
  u: np.ndarray,
  v: np.ndarray,
  eye_u: float,
  eye_v: float,
) -> None:
  """Sockets, lids, eyes with iris, pupil and glint, and brows."""
  side = np.abs(u)
  tall, wide = rng.uniform(0.045, 0.075), rng.uniform(0.11, 0.14)
  socket = ellipse(side, v, (eye_u, eye_v), (0.2, 0.14), 0.2)
  _shade(canvas, socket, rng.uniform(0.05, 0.25))
  lid = ellipse(side, v, (eye_u, eye_v - 0.02), (wide + 0.02, tall + 0.02))
  _paint(canvas, lid * np.float32(0.75), (52, 36, 32))
  white = ellipse(side, v, (eye_u, eye_v), (wide, tall))
  _paint(canvas, white, (226, 222, 218))
  gaze = rng.normal(0, 0.02, 2)
  iris = np.array(IRIS[rng.integers(len(IRIS))], np.float32) + _normal(
    rng, 8, 3
  )
  # Both eyes look the same way: mirror the gaze, not the eye.
  aside = np.where(
    u < 0, side + np.float32(gaze[0]), side - np.float32(gaze[0])
  )
  at = (eye_u, eye_v + gaze[1])
  _paint(canvas, white * ellipse(aside, v, at, (0.065, 0.065)), iris)
  _paint(canvas, white * ellipse(aside, v, at, (0.03, 0.03)), (12, 10, 10))
  glint = ellipse(aside, v, (at[0] + 0.02, at[1] - 0.02), (0.015, 0.015), 0.05)
  _paint(canvas, white * glint, (250, 250, 250))
  lift, arch = rng.uniform(0.14, 0.2), np.float32(rng.uniform(0.1, 0.9))
  line = np.float32(eye_v - lift) + arch * np.square(
    side - np.float32(eye_u + 0.03)
  )
  brow = inside(np.abs(v - line) - np.float32(rng.uniform(0.025, 0.05)), 0.05)
  brow *= inside(np.abs(side - np.float32(eye_u)) - np.float32(0.16), 0.06)
  _shade(canvas, brow, rng.uniform(0.4, 0.8))


def _nose(
  rng: np.random.Generator, canvas: np.ndarray, u: np.ndarray, v: np.ndarray
) -> None:
  """A lit ridge, shaded flanks, nostrils."""
  side, length = np.abs(u), rng.uniform(0.24, 0.32)
  flank = ellipse(side, v, (0.09, length - 0.14), (0.05, 0.22), 0.12)
  _shade(canvas, flank, rng.uniform(0.05, 0.2))
  _shade(canvas, ellipse(u, v, (0, length - 0.22), (0.05, 0.26), 0.12), -0.1)
  wide = rng.uniform(0.07, 0.1)
  _shade(canvas, ellipse(side, v, (wide, length), (0.05, 0.03)), 0.5)


def _mouth(
  rng: np.random.Generator,
  canvas: np.ndarray,
  u: np.ndarray,
  v: np.ndarray,
  mouth_u: float,
  mouth_v: float,
) -> None:
  """Lips on a smiling or sulking line, sometimes open with teeth."""
  bent = v + np.float32(rng.normal(0.2, 0.4)) * (u * u - np.float32(0.02))
  full, gap = rng.uniform(0.05, 0.085), rng.uniform(0.01, 0.05)
  lips = np.array((170, 84, 84), np.float32) + _normal(rng, 12, 3)
  lips = np.float32(0.5) * canvas + np.float32(0.4) * lips
  _paint(canvas, ellipse(u, bent, (0, mouth_v), (mouth_u, full)), lips)
  hole = ellipse(u, bent, (0, mouth_v), (mouth_u * 0.85, gap), 0.04)
  _paint(canvas, hole, (62, 28, 28))
  if gap > 0.035:
    at, radii = (0, mouth_v - 0.008), (mouth_u * 0.7, gap * 0.6)
    _paint(canvas, ellipse(u, bent, at, radii, 0.03), (214, 208, 200))
  _shade(canvas, ellipse(u, v, (0, mouth_v + 0.13), (0.14, 0.03), 0.08), 0.12)


def _light(
  rng: np.random.Generator, canvas: np.ndarray, u: np.ndarray, v: np.ndarray
) -> None:
  """Exposure, tint and fall-off of the light."""
  tint = np.float32(rng.uniform(0.75, 1.15)) * (1 + _normal(rng, 0.03, 3))
  slope = _normal(rng, 0.08, 2)
  canvas *= (1 + slope[0] * u + slope[1] * v)[..., None] * tint
