"""The four families of forgery, each as a trace in the pixels.

A trace alters the face that is there, as self-blended images do, instead of
bringing in another one: the content then has one distribution for all classes,
and only the trace tells them apart.

References:
  Shiohara and Yamasaki, 'Detecting Deepfakes with Self-Blended Images', CVPR
  2022.
"""

import abc
import dataclasses

import numpy as np
from typing_extensions import override

from input_pipeline.simulate import resampling
from input_pipeline.simulate.face_regions import brush_strokes, region_mask
from input_pipeline.simulate.portraits import Portrait
from input_pipeline.simulate.shapes import ellipse


class Trace(abc.ABC):
  """What a class does to a picture."""

  @abc.abstractmethod
  def apply(self, portrait: Portrait, rng: np.random.Generator) -> np.ndarray:
    """Returns the forged picture, [S, S, 3] float32 in about 0..255."""


@dataclasses.dataclass(frozen=True)
class IdentitySwap(Trace):
  """Imitates a face swap: an inner face of another origin, blended in.

  A swap generates a crop of fixed size, warps it to the head and blends it in.
  What remains is a seam, skin of another colour, and a face whose sharpness is
  that of the crop instead of the photo.

  Attributes:
    mask: outline of the pasted face, a name of `region_mask`.
    feather: softness of the seam, standard deviation in pixels.
    scale: size of the generator's crop, relative to the picture.
    interpolation: how the crop was enlarged, see `resampling`.
    sharpening: amount of unsharp masking that hides the enlargement.
    colour: which colours do not match: 'tint', 'light' or 'contrast'.
    strength: the strength of that mismatch, relative to the colour.

  References:
    Li and Lyu, 'Exposing DeepFake Videos By Detecting Face Warping Artifacts',
    CVPR Workshops 2019.
    Li et al., 'Face X-Ray for More General Face Forgery Detection', CVPR 2020.
  """

  mask: str
  feather: float
  scale: float
  interpolation: str
  sharpening: float
  colour: str
  strength: float

  @override
  def apply(self, portrait: Portrait, rng: np.random.Generator) -> np.ndarray:
    unit = portrait.unit
    angle, grow = rng.normal(0, 0.03), rng.normal(0, 0.04)
    shift = rng.normal(0, 0.03, 2)
    u, v = portrait.u * unit, portrait.v * unit
    dx = u * grow - v * angle + shift[0] * unit
    dy = v * grow + u * angle + shift[1] * unit
    inner = resampling.displace(portrait.image, dx, dy, 'bilinear')
    inner = resampling.shrink_and_enlarge(inner, self.scale, self.interpolation)
    inner = resampling.sharpen(inner, self.sharpening)
    inner = mismatch(inner, self.colour, self.strength, rng)
    mask = region_mask(portrait, self.mask)
    return resampling.blend(portrait.image, inner, mask, self.feather)


@dataclasses.dataclass(frozen=True)
class ExpressionTransfer(Trace):
  """Imitates reenactment: a mouth, and eyes, moved by a warp.

  The moved area is interpolated, so that the grain of the photo is missing
  there and pixels are stretched or repeated. Methods that deform a mesh or a
  coarse flow field leave edges between its cells.

  Attributes:
    area: what moves, a name of `region_mask`.
    motion: largest displacement, in units of the face's frame.
    cell: size of the motion field's cells in pixels; 1 for a smooth field.
    scale: size at which the area is generated, relative to the picture.
    interpolation: the interpolation of both resizings, see `resampling`.
    sharpening: amount of unsharp masking.
    feather: softness of the area's edge, standard deviation in pixels.

  References:
    Thies et al., 'Face2Face: Real-Time Face Capture and Reenactment of RGB
    Videos', CVPR 2016 (a mesh).
    Siarohin et al., 'First Order Motion Model for Image Animation', NeurIPS
    2019 (a flow field).
    Popescu and Farid, 'Exposing Digital Forgeries by Detecting Traces of
    Resampling', IEEE Transactions on Signal Processing 2005.
  """

  area: str
  motion: float
  cell: int
  scale: float
  interpolation: str
  sharpening: float
  feather: float

  @override
  def apply(self, portrait: Portrait, rng: np.random.Generator) -> np.ndarray:
    dx, dy = self._motion(portrait, rng)
    moved = resampling.displace(portrait.image, dx, dy, self.interpolation)
    moved = resampling.shrink_and_enlarge(moved, self.scale, self.interpolation)
    moved = resampling.sharpen(moved, self.sharpening)
    mask = region_mask(portrait, self.area)
    return resampling.blend(portrait.image, moved, mask, self.feather)

  def _motion(
    self, portrait: Portrait, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray]:
    """Widens or opens the mouth and moves the lids; [S, S] pixels in x, y."""
    u, v = portrait.u, portrait.v
    pixels = self.motion * portrait.unit
    mouth_v = v - np.float32(portrait.mouth_v)
    near_mouth = ellipse(u, mouth_v, (0, 0), (0.5, 0.4), 0.5)
    eyes = portrait.eye_u, portrait.eye_v
    near_eyes = ellipse(np.abs(u), v, eyes, (0.3, 0.25), 0.3)
    widen, open_, lids = rng.choice((-1, 1), 3) * rng.uniform(0.5, 1, 3)
    dx = pixels * widen * near_mouth * u / 0.3
    dy = pixels * open_ * near_mouth * mouth_v / 0.2
    dy += pixels * lids * near_eyes * (v - portrait.eye_v) / 0.15
    return self._cells(dx), self._cells(dy)

  def _cells(self, field: np.ndarray) -> np.ndarray:
    """Makes a motion field [S, S] constant in each cell."""
    if self.cell == 1:
      return field
    size, cell = field.shape[0], self.cell
    coarse = field[cell // 2 :: cell, cell // 2 :: cell]
    whole = coarse.repeat(cell, 0).repeat(cell, 1)
    pad = max(size - whole.shape[0], 0)
    return np.pad(whole, ((0, pad), (0, pad)), 'edge')[:size, :size]


@dataclasses.dataclass(frozen=True)
class AttributeManipulation(Trace):
  """Imitates an edit: one region regenerated by an encoder-decoder.

  Inside the region the picture shows the decoder's up-sampling, as blocks or a
  checkerboard at its stride, and has lost the camera's noise. Outside it is
  the photo.

  Attributes:
    area: what is edited, a name of `region_mask` or 'strokes' (of a brush).
    stride: the stride of the decoder's last up-convolution.
    taps: its kernel in one dimension.
    detail: share of the fine detail that its last layers restored.
    tint: strength of the change of colour, relative to the colour.
    feather: softness of the region's edge, standard deviation in pixels.

  References:
    Zhang et al., 'Detecting and Simulating Artifacts in GAN Fake Images', WIFS
    2019, which simulates fakes by the same up-sampling.
    Odena et al., 'Deconvolution and Checkerboard Artifacts', Distill 2016.
  """

  area: str
  stride: int
  taps: tuple[float, ...]
  detail: float
  tint: float
  feather: float

  @override
  def apply(self, portrait: Portrait, rng: np.random.Generator) -> np.ndarray:
    image = portrait.image
    made = resampling.up_convolve(image, self.stride, self.taps)
    made = made + np.float32(self.detail) * (image - made)
    made = mismatch(made, 'tint', self.tint, rng)
    if self.area == 'strokes':
      mask = brush_strokes(portrait, rng)
    else:
      mask = region_mask(portrait, self.area)
    return resampling.blend(image, made, mask, self.feather)


@dataclasses.dataclass(frozen=True)
class EntireSynthesis(Trace):
  """Imitates a generated picture: all of it passes up-convolutions.

  The trace shows in the mean spectrum: copies of the low frequencies around
  multiples of 1 / stride, weighted by the kernel, and too little energy between
  them.

  Attributes:
    layers: (stride, taps) of the last up-convolutions, the coarsest first.
    detail: share of the detail lost in a layer that later layers restored.

  References:
    Durall et al., 'Watch Your Up-Convolution: CNN Based Generative Deep Neural
    Networks are Failing to Reproduce Spectral Distributions', CVPR 2020.
    Frank et al., 'Leveraging Frequency Analysis for Deep Fake Image
    Recognition', ICML 2020.
  """

  layers: tuple[tuple[int, tuple[float, ...]], ...]
  detail: float

  @override
  def apply(self, portrait: Portrait, rng: np.random.Generator) -> np.ndarray:
    image = portrait.image
    for stride, taps in self.layers:
      made = resampling.up_convolve(image, stride, taps)
      image = made + np.float32(self.detail) * (image - made)
    return image


@dataclasses.dataclass(frozen=True)
class Untouched(Trace):
  """No forgery: the picture as the camera took it."""

  @override
  def apply(self, portrait: Portrait, rng: np.random.Generator) -> np.ndarray:
    return portrait.image


def mismatch(
  image: np.ndarray, kind: str, strength: float, rng: np.random.Generator
) -> np.ndarray:
  """Changes an image's colour, as another camera or light would.

  Args:
    image: [S, S, 3] float32.
    kind: 'light' (brightness), 'contrast' or 'tint' (a random hue).
    strength: relative to the colour; its sign is random.
    rng: the source of randomness.
  """
  amount = np.float32(strength * rng.uniform(0.7, 1.3) * rng.choice((-1, 1)))
  if kind == 'light':
    return image * (1 + amount)
  if kind == 'contrast':
    return image + amount * (image - image.mean(axis=(0, 1)))
  direction = rng.standard_normal(3).astype(np.float32)
  direction -= direction.mean()
  direction /= np.sqrt(np.square(direction).mean()) + np.float32(1e-6)
  return image * (1 + amount * direction)
