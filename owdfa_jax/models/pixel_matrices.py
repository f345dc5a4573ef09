"""Linear maps of images along their rows and columns, as matrix products."""

import jax
import jax.numpy as jnp
import numpy as np


def multiply_pixels(
  rows: np.ndarray, columns: np.ndarray, x: jax.Array
) -> jax.Array:
  """Multiplies every channel by a matrix from the left and one from the right.

  Two matrix products are what an accelerator does best; at the sizes of a face
  crop they are no slower than a fast transform.

  Args:
    rows: [k, h], acts on the columns of pixels; used as float32.
    columns: [l, w], acts on the rows of pixels; used as float32.
    x: float32 [B, h, w, C].

  Returns:
    float32 [B, k, l, C], rows x columns^T for each channel.
  """
  # Matrices are made in float64 by NumPy once, when the step is compiled.
  left, right = (jnp.asarray(m, jnp.float32) for m in (rows, columns))
  return jnp.einsum(
    'kh,bhwc,lw->bklc', left, x, right, precision=jax.lax.Precision.HIGHEST
  )


def resize_matrix(size: int, new_size: int) -> np.ndarray:
  """Returns the bilinear resizing of a column of pixels, [new_size, size].

  Pixel centres are half a pixel from the border, as in OpenCV; there is no
  antialiasing.
  """
  # Where each new pixel lies among the old ones; the border is repeated.
  centre = (np.arange(new_size) + 0.5) * size / new_size - 0.5
  centre = np.clip(centre, 0, size - 1)
  return np.maximum(0, 1 - np.abs(centre[:, None] - np.arange(size)))
