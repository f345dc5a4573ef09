"""Random fields: white noise, noise like natural images, photographic grain."""

import numpy as np


def white_noise(
  rng: np.random.Generator, scale: float, *shape: int
) -> np.ndarray:
  """Returns float32 Gaussian noise of standard deviation `scale`."""
  return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def pink_noise(
  rng: np.random.Generator, size: int, fields: int, slope: float = 1.0
) -> np.ndarray:
  """Returns noise whose amplitude falls with frequency, as in natural images.

  Natural images have an amplitude of about 1 / frequency (D. J. Field,
  'Relations between the statistics of natural images and the response
  properties of cortical cells', JOSA A 1987).

  Args:
    rng: the source of randomness.
    size: S, in pixels.
    fields: number of independent fields.
    slope: the amplitude is 1 / frequency**slope.

  Returns:
    [S, S, fields] float32 of unit variance.
  """
  fy = np.fft.fftfreq(size).astype(np.float32)[:, None, None]
  fx = np.fft.rfftfreq(size).astype(np.float32)[None, :, None]
  radius = np.sqrt(fy * fy + fx * fx)
  radius[0, 0] = np.inf  # no constant part
  shape = (size, size // 2 + 1, fields)
  spectrum = rng.standard_normal((*shape, 2), dtype=np.float32)
  spectrum = spectrum.view(np.complex64)[..., 0] / radius**slope
  noise = np.fft.irfft2(spectrum, s=(size, size), axes=(0, 1))
  return (noise / (noise.std(axis=(0, 1)) + 1e-6)).astype(np.float32)


def add_grain(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
  """Adds photographic grain to [S, S, 3] float32 in 0..255.

  Regions that a forgery resamples lose it, which is how detectors find them.
  """
  grain = white_noise(rng, rng.uniform(3, 5), *image.shape)
  return np.clip(image + grain, 0, 255)
