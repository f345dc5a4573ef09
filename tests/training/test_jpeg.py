"""JPEG as augmentation agrees with real encoders."""

import io

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from owdfa_jax.training import jpeg

compress = jax.jit(jpeg.compress)


def photograph_like(size):
  """Returns smooth images with fine noise, as photographs have."""
  draw = np.random.default_rng(0)
  coarse = draw.normal(128, 60, (12, 5, 5, 3)).astype(np.float32)
  images = np.stack([cv2.resize(x, (size, size)) for x in coarse])
  noisy = images + draw.normal(0, 4, images.shape)
  return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def by_pillow(image, quality):
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'JPEG', quality=quality, subsampling=2)
  return np.asarray(Image.open(file))


def by_opencv(image, quality):
  options = [cv2.IMWRITE_JPEG_QUALITY, quality]
  _, data = cv2.imencode('.jpg', image[..., ::-1], options)
  return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize('reference', [by_pillow, by_opencv])
@pytest.mark.parametrize('size', [64, 37])
def test_as_libjpeg(size, reference):
  images = photograph_like(size)
  # A quality for each image: the tables are per row.
  qualities = np.linspace(8, 100, len(images)).astype(int)
  result = compress(images.astype(np.float32), jnp.float32(qualities))
  differences = []
  for image, quality, ours in zip(images, qualities, result, strict=True):
    expected = reference(image, int(quality)).astype(np.float32)
    difference = np.abs(np.asarray(ours) - expected)
    # A coefficient near the middle of two steps may be rounded either way,
    # which changes its block by up to a step. What remains is far below what
    # the encoding loses.
    lost = np.abs(image - expected).mean()
    assert difference.mean() < 0.3 + 0.1 * lost, quality
    differences.append(difference)
  assert np.mean(differences) < 0.3
  assert np.mean(np.array(differences) > 2) < 0.03


def test_result_is_whole_grey_levels_at_the_extremes():
  images = np.zeros((4, 16, 16, 3), np.float32)
  images[1] = 255
  images[2, ::2] = 255
  images[3, :, ::2, 0] = 255
  result = np.asarray(compress(images, jnp.float32([1, 100, 1, 0])))
  np.testing.assert_array_equal(result, np.round(result))
  assert result.min() >= 0 and result.max() <= 255
  for image, quality, ours in zip(images[:2], (1, 100), result, strict=False):
    expected = by_pillow(image.astype(np.uint8), quality)
    np.testing.assert_array_equal(ours, expected)


def test_tables_are_those_of_the_files_of_pillow():
  image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
  zigzag = sorted(
    ((row, column) for row in range(8) for column in range(8)),
    key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]),
  )
  for quality in (1, 24, 49, 50, 75, 100):
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=quality)
    recorded = Image.open(file).quantization
    for number, table in enumerate((jpeg.LUMA_TABLE, jpeg.CHROMA_TABLE)):
      ours = np.asarray(jpeg.scaled_table(table, jnp.float32([quality])))[0]
      in_order = [int(ours[place]) for place in zigzag]
      assert sorted(recorded[number]) == sorted(in_order)
      assert list(recorded[number]) in (in_order, [*map(int, ours.ravel())])
