"""The branch on the local spectrum."""

import jax
import numpy as np
import pytest
from flax import nnx

from owdfa_jax.models import local_spectrum
from owdfa_jax.models.local_spectrum import SpectrumBranch

spectrum = jax.jit(local_spectrum.local_spectrum)
NOISE = np.random.default_rng(0).normal(size=(8, 70, 70, 3)).astype(np.float32)


def windows(images, side):
  """Yields the windows of images, each multiplied by a window of power 1."""
  hann = np.outer(np.hanning(side), np.hanning(side))
  hann /= np.sqrt(np.sum(hann**2))
  starts = range(0, images.shape[1] - side + 1, side // 2)
  for top in starts:
    for left in starts:
      window = images[:, top : top + side, left : left + side]
      yield window * hann[..., None]


@pytest.mark.parametrize('size, side', [(70, 32), (64, 32), (21, 20)])
def test_as_numpys_fast_transform(size, side):
  images = NOISE[:, :size, :size]
  assert local_spectrum.window_side(size) == side
  power = [
    np.abs(np.fft.fft2(window, axes=(1, 2))) ** 2
    for window in windows(images, side)
  ]
  expected = np.log(np.array(power) + 0.01).mean(0).transpose(0, 3, 1, 2)
  result = np.asarray(spectrum(images))
  assert result.shape[1:] == local_spectrum.spectrum_shape(size)
  num = side // 2 + 1
  close = {'rtol': 1e-4, 'atol': 1e-4}
  np.testing.assert_allclose(
    result[:, :, 0], expected[..., :num, :num], **close
  )
  # Horizontal frequencies below 0.
  below = expected[:, :, :num, -np.arange(num)]
  np.testing.assert_allclose(result[:, :, 1], below, **close)


def test_a_mirrored_image_exchanges_the_two_directions():
  mirrored = spectrum(NOISE[:, :64, :64][:, :, ::-1])
  expected = np.asarray(spectrum(NOISE[:, :64, :64]))[:, :, ::-1]
  np.testing.assert_allclose(mirrored, expected, rtol=1e-4, atol=1e-4)


def test_a_wave_shows_at_its_frequency_wherever_it_begins():
  for phase in (0.0, 1.0):
    angle = 2 * np.pi * np.arange(64) * 5 / 32 + phase
    wave = np.tile(np.cos(angle)[None, None, :, None], (1, 64, 1, 3))
    result = np.asarray(spectrum(wave.astype(np.float32)))[0, 0, 0]
    assert np.unravel_index(result.argmax(), result.shape) == (0, 5)


def test_branch_gives_features_and_same_on_eight_devices():
  branch = SpectrumBranch(32, 7, rngs=nnx.Rngs(0))
  forward = nnx.jit(lambda branch, x: branch(x, train=False))
  images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
  mesh = jax.make_mesh(
    (8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
  )
  sharded = jax.device_put(images, jax.NamedSharding(mesh, jax.P('data')))
  result = forward(branch, images)
  assert result.shape == (8, 7)
  np.testing.assert_allclose(
    forward(branch, sharded), result, rtol=1e-4, atol=1e-4
  )
