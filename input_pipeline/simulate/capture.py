"""Captures: what a dataset's cameras and files do to each of its images."""

import dataclasses

import cv2
import numpy as np

from input_pipeline.simulate import resampling


@dataclasses.dataclass(frozen=True)
class Capture:
  """Lens, sensor, processing and compression, in that order.

  Attributes:
    blur: standard deviation of the lens's blur in pixels; 0 for none.
    noise: standard deviation of the sensor's noise in grey levels.
    monochrome: whether the sensor has one plane, so that the noise is equal in
      the three channels.
    sharpening: amount of unsharp masking in the camera.
    quality: lowest and highest JPEG quality; None for lossless files.
  """

  blur: float
  noise: float
  monochrome: bool
  sharpening: float
  quality: tuple[int, int] | None

  def apply(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Captures [S, S, 3] float32 in 0..255; returns [S, S, 3] uint8."""
    if self.blur:
      image = cv2.GaussianBlur(image, (0, 0), self.blur)
    channels = 1 if self.monochrome else 3
    shape = (*image.shape[:2], channels)
    grain = rng.standard_normal(shape, dtype=np.float32)
    image = image + grain * np.float32(self.noise)
    if self.sharpening:
      image = resampling.sharpen(image, self.sharpening)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return pixels if self.quality is None else self._compress(pixels, rng)

  def _compress(
    self, pixels: np.ndarray, rng: np.random.Generator
  ) -> np.ndarray:
    low, high = self.quality or (100, 100)
    quality = int(rng.integers(low, high + 1))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode('.jpg', pixels[..., ::-1], options)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1]


# By dataset. FaceForensics++ and Celeb-DF are frames of compressed video, which
# JPEG of low quality stands for. ForgeryNet was collected from the web as JPEG.
# DFFD kept PNG. ForgeryNIR comes from near-infrared sensors with one plane.
CAPTURES = {
  'FF++': Capture(0.5, 1.0, False, 0.0, (74, 82)),
  'CelebDF': Capture(0.5, 1.0, False, 0.3, (66, 76)),
  'ForgeryNet': Capture(0.0, 1.5, False, 0.4, (88, 95)),
  'DFFD': Capture(0.0, 0.8, False, 0.0, None),
  'ForgeryNIR': Capture(0.4, 2.5, True, 0.0, None),
}
