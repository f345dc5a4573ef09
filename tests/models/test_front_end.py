"""The front end: what the network is given of an image."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from owdfa_jax.models import front_end
from owdfa_jax.models.front_end import FRONT_ENDS

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 3), np.uint8)
network_input = jax.jit(front_end.network_input, static_argnums=1)
gaussian_blur = jax.jit(front_end.gaussian_blur, static_argnums=1)


@pytest.mark.golden
def test_normalise(golden):
  file = golden('transforms')
  suffix = '_normalized'
  for key in file:
    if key.endswith(suffix):
      image = file[key.replace(suffix, '_resized_u8')]
      np.testing.assert_allclose(
        front_end.normalise(jnp.asarray(image)), file[key], atol=1e-2
      )


@pytest.mark.parametrize('sigma', [0.5, 1.0, 2.0])
def test_blur_as_opencv_and_scipy(sigma):
  images = IMAGES.astype(np.float32)
  blurred = gaussian_blur(images, sigma)
  for image, result in zip(images, blurred, strict=True):
    expected = cv2.GaussianBlur(image, (0, 0), sigma)
    np.testing.assert_allclose(result, expected, atol=1e-3)
  expected = scipy.ndimage.gaussian_filter(
    images.astype(np.float64), sigma, axes=(1, 2), mode='mirror'
  )
  np.testing.assert_allclose(blurred, expected, atol=1e-3)


def test_blur_of_an_image_smaller_than_its_kernel():
  images = IMAGES[:, :5, :5].astype(np.float32)
  expected = scipy.ndimage.gaussian_filter(
    images, 2.0, axes=(1, 2), mode='mirror'
  )
  np.testing.assert_allclose(gaussian_blur(images, 2.0), expected, atol=1e-3)


def test_residual_is_clipped_and_counts_in_six_grey_levels():
  images = np.full((1, 9, 9, 3), 100, np.uint8)
  images[0, 4, 4] = 110
  peak = 1 - cv2.getGaussianKernel(9, 1.0).max() ** 2
  residual = np.asarray(front_end.residual(images))
  np.testing.assert_allclose(residual[0, 4, 4], 10 * peak / 6, rtol=1e-5)
  images[0, 4, 4] = 255
  assert np.asarray(front_end.residual(images)).max() == 8


def test_contrast_hardly_changes_a_scaled_residual():
  images = 100 + IMAGES.astype(np.float32) / 4
  weaker = (100 + images) / 2

  def change(of):
    before, after = np.asarray(of(images)), np.asarray(of(weaker))
    return np.abs(before - after).mean() / np.abs(before).mean()

  assert change(front_end.scaled_residual) < 0.1
  assert change(front_end.residual) > 0.4


def test_scaled_residual_has_a_spread_of_1_unless_the_image_is_flat():
  rng = np.random.default_rng(0)
  noise = (
    rng.normal(size=(3, 64, 64, 3))
    * np.array([0, 0.2, 20])[:, None, None, None]
  )
  spread = np.asarray(front_end.scaled_residual(128 + noise)).std((1, 2, 3))
  assert spread[0] == 0
  assert 0.1 < spread[1] < 0.3
  assert 0.9 < spread[2] < 1


def test_an_edge_does_not_exceed_the_limit_of_a_scaled_residual():
  images = np.full((1, 32, 32, 3), 100, np.uint8)
  images[0, 16, 16] = 255
  assert np.asarray(front_end.scaled_residual(images)).max() == 6


def test_rgb_is_the_normalised_image_and_both_has_it_first():
  rgb = np.asarray(network_input(IMAGES, 'rgb'))
  np.testing.assert_allclose(rgb, front_end.normalise(IMAGES), atol=1e-6)
  both = np.asarray(network_input(IMAGES, 'both'))
  # Programs differ in the order of their products.
  np.testing.assert_allclose(both[..., :3], rgb, atol=1e-6)
  np.testing.assert_allclose(
    both[..., 3:], network_input(IMAGES, 'residual'), atol=1e-5
  )


@pytest.mark.parametrize('name', FRONT_ENDS)
def test_channels_and_dtype_for_both_kinds_of_images(name):
  result = network_input(IMAGES, name)
  assert result.shape == (8, 24, 24, front_end.num_channels(name))
  assert result.dtype == jnp.float32
  as_float = network_input(IMAGES.astype(np.float32), name)
  np.testing.assert_allclose(result, as_float, atol=1e-5)


@pytest.mark.parametrize('name', FRONT_ENDS)
def test_a_mirrored_image_gives_the_mirrored_input(name):
  for axis in (1, 2):
    np.testing.assert_array_equal(
      network_input(np.flip(IMAGES, axis), name),
      np.flip(network_input(IMAGES, name), axis),
    )


# A scaled residual depends on the spread of the whole image, border included.
@pytest.mark.parametrize('name', sorted(set(FRONT_ENDS) - {'scaled_residual'}))
def test_a_shifted_image_gives_the_shifted_input(name):
  # Away from the borders, where another part of the image is mirrored.
  inner = slice(8, -8)
  shifted = np.roll(IMAGES, (2, -1), (1, 2))
  expected = np.roll(network_input(IMAGES, name), (2, -1), (1, 2))
  np.testing.assert_allclose(
    network_input(shifted, name)[:, inner, inner],
    expected[:, inner, inner],
    atol=1e-5,
  )


@pytest.mark.parametrize('name', FRONT_ENDS)
def test_same_result_on_one_and_eight_devices(name):
  mesh = jax.make_mesh(
    (8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
  )
  sharded = jax.device_put(IMAGES, jax.NamedSharding(mesh, jax.P('data')))
  result = network_input(sharded, name)
  assert len(result.sharding.device_set) == 8
  assert not result.sharding.is_fully_replicated
  # Only the spread of a scaled residual is a sum, whose order may change.
  rtol = 1e-5 if name == 'scaled_residual' else 0
  np.testing.assert_allclose(result, network_input(IMAGES, name), rtol=rtol)
