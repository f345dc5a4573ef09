"""The spectrum of an image: what is left of it without its content.

Generators leave traces in the fine structure of an image, such as peaks in its
spectrum. The residual, an image less its blur, has this fine structure and
little of the content.
"""

import cv2
import numpy as np
from scipy import fft

# The standard deviation of the blur, in pixels.
SIGMA = 1.0
# The sides of the windows that an image is cut into, in pixels, each with the
# number of neighbouring frequencies that are averaged in each direction. Large
# windows separate close frequencies, small ones give a steadier mean. So a
# spectrum has the same size for images of 64 pixels and of 1024.
WINDOWS = ((64, 2), (32, 1))
# The standard deviation of rounding to whole grey levels: weaker frequencies
# cannot be told from it.
_ROUNDING = 12**-0.5
# The histogram of a residual has bins of this width in grey levels, and this
# many on each side of the one around 0. The outermost take what is beyond.
_BIN_WIDTH, _BINS_EACH_SIDE = 1.5, 4
# Gives the 27 shares of a histogram a spread like that of a spectrum's
# logarithms.
_HISTOGRAM_SCALE = 5.0
# The side of a window is a multiple of this: half of the smallest window has
# one pooled frequency.
LEAST_SIDE = 4


def image_residual(image: np.ndarray) -> np.ndarray:
  """Returns an image less its Gaussian blur, in grey levels.

  Args:
    image: [S, S, 3], of any type of number; S is at least `LEAST_SIDE`.

  Returns:
    float32 [S, S, 3].
  """
  image = image.astype(np.float32)
  return image - cv2.GaussianBlur(image, (0, 0), SIGMA)


def log_spectrum(residual: np.ndarray, window: int, pool: int) -> np.ndarray:
  """Returns the mean logarithmic spectrum of the windows of a residual.

  A window is multiplied by a Hann window in both directions. Windows overlap by
  half or more and cover the image (Welch, "The use of fast Fourier transform
  for the estimation of power spectra", 1967). The amplitude of rounding noise,
  which every image has, is added to all amplitudes.

  Args:
    residual: float [S, S, 3], in grey levels; S is at least `LEAST_SIDE`.
    window: the side of the windows in pixels, W, a multiple of `LEAST_SIDE`;
      less for smaller images.
    pool: P, 1 or 2: how many neighbouring frequencies are averaged in each
      direction.

  Returns:
    float32 [W / P, W / 2 P, 3]: by row the vertical frequencies 0 .. W / 2 - 1
    and -W / 2 .. -1, by column the horizontal ones from 0 on.
  """
  side = min(window, len(residual) // LEAST_SIDE * LEAST_SIDE)
  half, taper = side // 2, np.hanning(side).astype(np.float32)
  taper = taper[:, None] * taper
  floor = _ROUNDING * np.sqrt((taper**2).sum())
  # The transform is several times faster along the last axes.
  residual = np.ascontiguousarray(residual.transpose(2, 0, 1))
  total = np.zeros((3, side, half), np.float32)
  starts = _window_starts(residual.shape[1], side)
  for top in starts:
    band = residual[:, top : top + side]
    windows = np.stack([band[..., x : x + side] for x in starts]) * taper
    amplitude = np.abs(fft.rfft2(windows)[..., :half])
    total += np.log(amplitude + floor).sum(0)
  total /= len(starts) ** 2
  pooled = total.reshape(3, side // pool, pool, half // pool, pool).mean((2, 4))
  return pooled.transpose(1, 2, 0)


def residual_histogram(residual: np.ndarray) -> np.ndarray:
  """Returns the share of each channel's values in each of 9 bins.

  Args:
    residual: float [S, S, 3], in grey levels.

  Returns:
    float32 [3, 9].
  """
  most = _BINS_EACH_SIDE
  bins = np.clip(np.rint(residual / _BIN_WIDTH), -most, most).astype(int) + most
  counts = [np.bincount(bins[..., c].ravel(), minlength=9) for c in range(3)]
  return np.asarray(counts, np.float32) / bins[..., 0].size


def spectrum_features(images: np.ndarray) -> np.ndarray:
  """Returns the log-spectra and the histogram of each image's residual.

  Args:
    images: uint8 [N, S, S, 3].

  Returns:
    float32 [N, D]; D is 3,099 for S of 64 or more.
  """
  rows = []
  for image in images:
    residual = image_residual(image)
    parts = [log_spectrum(residual, *window) for window in WINDOWS]
    parts.append(_HISTOGRAM_SCALE * residual_histogram(residual))
    rows.append(np.concatenate([part.ravel() for part in parts]))
  return np.stack(rows)


def _window_starts(length: int, side: int) -> np.ndarray:
  """Returns where windows start so that they cover `length` and overlap."""
  count = 1 + -(-(length - side) // (side // 2))
  return np.rint(np.linspace(0, length - side, count)).astype(int)
