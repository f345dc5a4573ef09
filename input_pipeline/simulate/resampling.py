"""What generators and editors do to pixels: up-convolve, resize, sharpen."""

import cv2
import numpy as np

_INTERPOLATIONS = {
  'nearest': cv2.INTER_NEAREST,
  'bilinear': cv2.INTER_LINEAR,
  'bicubic': cv2.INTER_CUBIC,
  'lanczos': cv2.INTER_LANCZOS4,
}


def up_convolve(
  image: np.ndarray, stride: int, taps: tuple[float, ...]
) -> np.ndarray:
  """Decimates, inserts zeros and convolves, as a generator's last layer does.

  Inserting zeros repeats the spectrum every 1 / stride. The kernel attenuates
  these copies but does not remove them, so that peaks stay at multiples of
  S / stride. If the stride does not divide the number of taps, the kernel
  overlaps unevenly, which leaves a checkerboard.

  Args:
    image: [S, S, 3] float32.
    stride: the stride of the up-convolution.
    taps: the kernel in one dimension; it is scaled to sum to `stride`.

  Returns:
    [S, S, 3] float32.

  References:
    Durall et al., 'Watch Your Up-Convolution: CNN Based Generative Deep Neural
    Networks are Failing to Reproduce Spectral Distributions', CVPR 2020.
    Odena et al., 'Deconvolution and Checkerboard Artifacts', Distill 2016.
  """
  size = image.shape[0]
  grid = -(-size // stride)
  padding = grid * stride - size
  padded = cv2.copyMakeBorder(
    image, 0, padding, 0, padding, cv2.BORDER_REPLICATE
  )
  small = cv2.resize(padded, (grid, grid), interpolation=cv2.INTER_AREA)
  # Replicate the border, so that the kernel finds samples outside the picture.
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


def shrink_and_enlarge(
  image: np.ndarray, scale: float, interpolation: str
) -> np.ndarray:
  """Resizes to `scale` of the size and back, [S, S, 3] float32.

  Args:
    image: [S, S, 3] float32.
    scale: the scale of the small picture, which has at least 4 pixels a side.
    interpolation: 'nearest', 'bilinear', 'bicubic' or 'lanczos', on the way
      back.
  """
  size = image.shape[0]
  grid = max(round(size * scale), 4)
  small = cv2.resize(image, (grid, grid), interpolation=cv2.INTER_AREA)
  mode = _INTERPOLATIONS[interpolation]
  return cv2.resize(small, (size, size), interpolation=mode)


def sharpen(image: np.ndarray, amount: float, sigma: float = 1.0) -> np.ndarray:
  """Applies unsharp masking; a negative amount softens.

  Args:
    image: [S, S, 3] float32.
    amount: multiplies the fine detail that is added.
    sigma: the width of the Gaussian that separates fine from coarse, in pixels.
  """
  soft = cv2.GaussianBlur(image, (0, 0), sigma)
  return image + np.float32(amount) * (image - soft)


def displace(
  image: np.ndarray, dx: np.ndarray, dy: np.ndarray, interpolation: str
) -> np.ndarray:
  """Returns the image whose pixel (x, y) comes from (x + dx, y + dy).

  Args:
    image: [S, S, 3] float32.
    dx, dy: [S, S], in pixels.
    interpolation: the interpolation, see `shrink_and_enlarge`.
  """
  along = np.arange(image.shape[0], dtype=np.float32)
  return cv2.remap(
    image,
    (along[None, :] + dx).astype(np.float32),
    (along[:, None] + dy).astype(np.float32),
    _INTERPOLATIONS[interpolation],
    borderMode=cv2.BORDER_REPLICATE,
  )


def blend(
  image: np.ndarray, other: np.ndarray, mask: np.ndarray, feather: float
) -> np.ndarray:
  """Lays `other` over `image` through a softened mask.

  Args:
    image, other: [S, S, 3] float32.
    mask: [S, S] in 0..1.
    feather: standard deviation of the mask's blur in pixels; 0 for none.
  """
  if feather > 0:
    mask = cv2.GaussianBlur(mask, (0, 0), feather)
  return image + mask[..., None] * (other - image)
