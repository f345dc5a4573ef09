"""What generators and editors do to pixels: up-convolve, resample, sharpen."""

import cv2
import numpy as np

INTERPOLATIONS = {
  'nearest': cv2.INTER_NEAREST,
  'bilinear': cv2.INTER_LINEAR,
  'bicubic': cv2.INTER_CUBIC,
  'lanczos': cv2.INTER_LANCZOS4,
}


def up_convolve(
  image: np.ndarray, stride: int, taps: tuple[float, ...]
) -> np.ndarray:
  """Decimates, inserts zeros and convolves: a generator's last layer.

  Zero insertion repeats the spectrum every 1 / stride; `taps` (scaled to sum
  to `stride`) attenuate the copies but do not remove them, so peaks and a
  checkerboard stay at multiples of S / stride. Durall et al., 'Watch your
  Up-Convolution', CVPR 2020; Odena et al., 'Deconvolution and Checkerboard
  Artifacts', 2016 (taps whose number `stride` does not divide).

  image: [S, S, 3] float32 -> [S, S, 3] float32.
  """
  size = image.shape[0]
  grid = -(-size // stride)
  padding = grid * stride - size
  padded = cv2.copyMakeBorder(
    image, 0, padding, 0, padding, cv2.BORDER_REPLICATE
  )
  small = cv2.resize(padded, (grid, grid), interpolation=cv2.INTER_AREA)
  # Replicated borders, so that the kernel finds samples outside the picture.
  small = cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
  wide = (grid + 4) * stride
  spread = np.zeros((wide, wide, 3), np.float32)
  spread[::stride, ::stride] = small
  kernel = np.array(taps, np.float32) * np.float32(stride / sum(taps))
  filtered = cv2.sepFilter2D(
    spread, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT
  )
  margin = 2 * stride
  return filtered[margin : margin + size, margin : margin + size]


def resample(image: np.ndarray, scale: float, interpolation: str) -> np.ndarray:
  """Shrinks to `scale` of the size and enlarges again, [S, S, 3] float32."""
  size = image.shape[0]
  grid = max(round(size * scale), 4)
  small = cv2.resize(image, (grid, grid), interpolation=cv2.INTER_AREA)
  mode = INTERPOLATIONS[interpolation]
  return cv2.resize(small, (size, size), interpolation=mode)


def sharpen(image: np.ndarray, amount: float, sigma: float = 1.0) -> np.ndarray:
  """Unsharp masking; a negative amount softens."""
  soft = cv2.GaussianBlur(image, (0, 0), sigma)
  return image + np.float32(amount) * (image - soft)


def displace(
  image: np.ndarray, dx: np.ndarray, dy: np.ndarray, interpolation: str
) -> np.ndarray:
  """Image whose pixel (x, y) comes from (x + dx, y + dy), in pixels."""
  along = np.arange(image.shape[0], dtype=np.float32)
  return cv2.remap(
    image,
    (along[None, :] + dx).astype(np.float32),
    (along[:, None] + dy).astype(np.float32),
    INTERPOLATIONS[interpolation],
    borderMode=cv2.BORDER_REPLICATE,
  )


def blend(
  image: np.ndarray, other: np.ndarray, mask: np.ndarray, feather: float
) -> np.ndarray:
  """Lays `other` over `image` through a mask blurred by `feather` pixels."""
  if feather > 0:
    mask = cv2.GaussianBlur(mask, (0, 0), feather)
  return image + mask[..., None] * (other - image)
