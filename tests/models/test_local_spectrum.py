"""The branch on the local spectrum."""

import jax
import numpy as np
import pytest
from flax import nnx

from owdfa_jax.models import front_end, local_spectrum
from owdfa_jax.models.create import create_classifier
from owdfa_jax.models.local_spectrum import SpectrumBranch

spectrum = jax.jit(local_spectrum.local_spectrum)
residual = jax.jit(front_end.residual)
evaluate = nnx.jit(lambda branch, x: branch(x, train=False))
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


def test_branch_alike_on_one_and_eight_devices():
  branch = SpectrumBranch(32, 7, 5, rngs=nnx.Rngs(0))
  images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
  mesh = jax.make_mesh(
    (8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
  )
  sharded = jax.device_put(images, jax.NamedSharding(mesh, jax.P('data')))
  one, eight = evaluate(branch, images), evaluate(branch, sharded)
  assert [x.shape for x in one] == [(8, 7), (8, 5)]
  for ours, expected in zip(eight, one, strict=True):
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_projections_are_fixed_and_have_a_variance_of_about_1():
  images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)
  projections = []
  for seed in (0, 1):
    branch = SpectrumBranch(32, 0, 64, rngs=nnx.Rngs(seed))
    # Nothing of the projections is in a checkpoint.
    assert set(nnx.state(branch)) == {'bn0'}
    size = branch.bn0.mean[...].size
    flat = spectrum(residual(images)).reshape(64, size)
    branch.bn0.mean[...], branch.bn0.var[...] = flat.mean(0), flat.var(0)
    features, fixed = evaluate(branch, images)
    assert features.shape == (64, 0)
    projections.append(np.asarray(fixed))
  np.testing.assert_array_equal(*projections)
  assert 0.5 < projections[0].var(0).mean() < 2
  features, fixed = nnx.eval_shape(
    lambda branch, x: branch(x, train=True), branch, images
  )
  assert features.shape == fixed.shape == (64, 0)


def test_a_branch_of_a_front_end_that_scales_sees_the_scaled_residual():
  images = np.random.default_rng(0).normal(128, 20, (4, 32, 32, 3))
  images = images.astype(np.float32)
  changes = {}
  for name in front_end.FRONT_ENDS:
    branch = SpectrumBranch(32, 0, 8, front_end=name, rngs=nnx.Rngs(0))
    high, low = (evaluate(branch, x)[1] for x in (images, images / 2))
    changes[name] = float(np.abs(np.asarray(high) - np.asarray(low)).mean())
  scaled = changes.pop('scaled_residual')
  assert scaled < 0.1 * min(changes.values())


def test_evaluation_alone_puts_the_projections_into_the_feature():
  make = lambda: create_classifier(
    backbone='small',
    width=0.125,
    num_outputs=3,
    image_size=32,
    spectrum_features=4,
    spectrum_projections=5,
    dropout=0.0,
    rngs=nnx.Rngs(0),
  )
  model = nnx.jit(make)()
  images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
  width = model.bottleneck.scale[...].size
  classify = lambda train: lambda m, x: m.classify_images(x, train=train)
  outputs = nnx.jit(classify(train=False))(model, images)
  assert outputs.feature.shape == (4, width + 5)
  np.testing.assert_allclose(
    outputs.logits,
    model.classify(outputs.feature[:, :width]),
    rtol=1e-5,
    atol=1e-6,
  )
  outputs = nnx.eval_shape(classify(train=True), model, images)
  assert outputs.feature.shape == (4, width)
