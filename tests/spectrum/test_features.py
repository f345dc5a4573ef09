"""What the features of an image's spectrum depend on, and on what not."""

import numpy as np
import pytest

from owdfa_jax.spectrum import features


def noise(size, seed=0):
  """Returns noise, uint8 [size, size, 3], far from 0 and 255."""
  generator = np.random.default_rng(seed)
  return generator.integers(60, 160, (size, size, 3)).astype(np.uint8)


def test_a_constant_image_has_no_residual():
  residual = features.image_residual(np.full((16, 16, 3), 7, np.uint8))
  np.testing.assert_allclose(residual, 0, atol=1e-5)


def test_brightness_does_not_matter():
  image = noise(64)
  brighter = image + np.uint8(40)
  np.testing.assert_allclose(
    features.spectrum_features(image[None]),
    features.spectrum_features(brighter[None]),
    atol=1e-2,
  )


def test_contrast_shifts_all_logarithms_alike():
  residual = 1e4 * features.image_residual(noise(64))
  once = features.log_spectrum(residual, 64, 2)
  twice = features.log_spectrum(2 * residual, 64, 2)
  np.testing.assert_allclose(twice - once, np.log(2), atol=1e-2)


def test_a_mirror_image_has_the_mirrored_spectrum():
  """It exchanges the vertical frequencies f and -f."""
  size, half = 64, 32
  residual = features.image_residual(noise(size))
  row = np.arange(size)
  # A wave whose frequency is (5, 9) has its peak there; mirrored, at (-5, 9).
  wave = np.cos(2 * np.pi * (5 * row[:, None] + 9 * row) / size)
  wave = np.repeat(20 * wave[..., None], 3, -1).astype(np.float32)
  both = [features.log_spectrum(each, 64, 2) for each in (wave, wave[:, ::-1])]
  peaks = [np.unravel_index(x[..., 0].argmax(), (half, 16)) for x in both]
  assert peaks[0] == (5 // 2, 9 // 2)
  assert peaks[1] == ((size - 5) // 2, 9 // 2)
  # Turned by half a turn, an image has the same spectrum.
  turned = np.ascontiguousarray(residual[::-1, ::-1])
  np.testing.assert_allclose(
    features.log_spectrum(turned, 64, 2),
    features.log_spectrum(residual, 64, 2),
    atol=1e-3,
  )


@pytest.mark.parametrize('size', [64, 65, 100, 256])
def test_features_of_large_images_are_no_longer(size):
  found = features.spectrum_features(noise(size)[None])
  assert found.shape == (1, 2 * 32 * 16 * 3 + 27) and found.dtype == np.float32
  assert np.isfinite(found).all()


@pytest.mark.parametrize('size', [4, 7, 32])
def test_features_of_small_images(size):
  numbers = (size // 4 * 4) ** 2 // 2 * 3
  found = features.spectrum_features(noise(size)[None])
  assert found.shape == (1, numbers // 4 + numbers + 27)
  assert np.isfinite(found).all()


def test_windows_cover_a_large_image():
  """A wave in any corner of it shows in the spectrum."""
  size = 150
  quiet = features.log_spectrum(np.zeros((size, size, 3), np.float32), 64, 2)
  row = np.arange(32)
  wave = 50 * np.cos(row[:, None] + row)[..., None].astype(np.float32)
  for top, left in ((0, 0), (0, size - 32), (size - 32, size - 32), (60, 70)):
    residual = np.zeros((size, size, 3), np.float32)
    residual[top : top + 32, left : left + 32] = wave
    assert (features.log_spectrum(residual, 64, 2) - quiet).max() > 0.3


def test_the_mean_over_windows_varies_less_than_one_window():
  small = [features.spectrum_features(noise(64, n)[None]) for n in range(6)]
  large = [features.spectrum_features(noise(256, n)[None]) for n in range(6)]
  assert np.std(large, 0).mean() < 0.5 * np.std(small, 0).mean()


def test_histogram_counts_every_pixel_once():
  residual = np.zeros((8, 8, 3), np.float32)
  residual[0, 0] = 1.6, -1e3, 0.7
  found = features.residual_histogram(residual)
  np.testing.assert_allclose(found.sum(1), 1)
  # Bins of 1.5 grey levels, the fifth of nine around 0.
  assert [found[c].argmin() for c in range(3)] != [4, 4, 4]
  np.testing.assert_allclose(found[0, 5], 1 / 64)
  np.testing.assert_allclose(found[1, 0], 1 / 64)
  np.testing.assert_allclose(found[2, 4], 1)
