"""Simulated images: content is independent of the class, traces are not."""

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from input_pipeline.forgery_types import SYNTHESIS
from input_pipeline.simulate import face_regions, resampling
from input_pipeline.simulate.capture import CAPTURES
from input_pipeline.simulate.portraits import draw_portrait
from input_pipeline.simulate.simulated_classes import BOX, CLASSES, FIR, TENT
from input_pipeline.simulate.simulated_images import Simulation, make_image

FAKES = [row for row, c in enumerate(CLASSES) if c.label_1 is not None]
DEFAULT = Simulation(images_per_class=48, size=64, seed=11)


def row_of(method, dataset):
  [row] = [
    row
    for row, c in enumerate(CLASSES)
    if (c.method, c.dataset) == (method, dataset)
  ]
  return row


@pytest.fixture(scope='module')
def fakes():
  """[20, 48, 64, 64, 3] uint8: Protocol 1 at the default size."""
  return np.stack(
    [[make_image(DEFAULT, row, n) for n in range(48)] for row in FAKES]
  )


def test_an_image_depends_only_on_seed_class_and_index():
  row = row_of('FOMM', 'ForgeryNet')
  one, other = Simulation(8, 48, seed=1), Simulation(8, 48, seed=2)
  image = make_image(one, row, 7)
  assert image.shape == (48, 48, 3) and image.dtype == np.uint8
  np.random.seed(0)
  np.testing.assert_array_equal(image, make_image(one, row, 7))
  assert np.any(image != make_image(other, row, 7))
  assert np.any(image != make_image(one, row, 6))


def test_portraits_of_the_same_index_differ_between_classes():
  a = make_image(DEFAULT, row_of('Real', 'FF++'), 0)
  b = make_image(DEFAULT, row_of('Real', 'CelebDF'), 0)
  assert np.abs(a.astype(int) - b).mean() > 10


def probe_accuracy(images):
  """Returns the test accuracy of a linear probe on 8x8 thumbnails.

  Args:
    images: [K, N, S, S, 3], N images of each of K classes.
  """
  thumbnails = np.array(
    [
      [cv2.resize(i, (8, 8), interpolation=cv2.INTER_AREA).ravel() for i in c]
      for c in images
    ],
    np.float64,
  )
  count = len(images[0]) * 3 // 4
  labels = np.arange(len(images))[:, None].repeat(len(images[0]), 1)
  probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3))
  probe.fit(thumbnails[:, :count].reshape(-1, 192), labels[:, :count].ravel())
  return probe.score(
    thumbnails[:, count:].reshape(-1, 192), labels[:, count:].ravel()
  )


def test_thumbnails_do_not_tell_the_class(fakes):
  assert probe_accuracy(fakes) < 2 / 20


def test_the_probe_finds_content_that_depends_on_the_class(fakes):
  shift = np.arange(20).reshape(20, 1, 1, 1, 1) * 4
  leaky = np.clip(fakes.astype(int) + shift * np.array((1, -1, 0)), 0, 255)
  assert probe_accuracy(leaky.astype(np.uint8)) > 2 / 20


@pytest.mark.parametrize('frequency', [4, 10, 13])
def test_zero_insertion_copies_the_spectrum(frequency):
  # At stride 2 a box weights frequency f by cos(pi f), and its copy at 1/2 - f
  # by sin(pi f).
  size = 64
  wave = np.cos(2 * np.pi * frequency * np.arange(size) / size)
  image = np.broadcast_to(wave[None, :, None], (size, size, 3))
  made = resampling.up_convolve(np.ascontiguousarray(image, np.float32), 2, BOX)
  spectrum = np.abs(np.fft.rfft(made[size // 2, :, 0]))
  copy = spectrum[size // 2 - frequency] / spectrum[frequency]
  assert copy == pytest.approx(np.tan(np.pi * frequency / size), rel=1e-4)


@pytest.mark.parametrize('taps', [BOX, TENT, FIR])
def test_kernels_that_overlap_evenly_keep_a_flat_picture_flat(taps):
  flat = np.full((33, 33, 3), 90, np.float32)
  np.testing.assert_allclose(
    resampling.up_convolve(flat, 2, taps), flat, rtol=1e-5
  )


def test_kernels_that_overlap_unevenly_leave_a_checkerboard():
  flat = np.full((32, 32, 3), 100, np.float32)
  made = resampling.up_convolve(flat, 2, (0.6, 1.0, 0.6))[:, :, 0]
  # Phase sums 1 and 1.2 of a kernel scaled by 2 / 2.2, in both directions.
  phases = np.array((1.0, 1.2)) * 2 / 2.2
  seen = {tuple(np.round(np.unique(made), 2))}
  expected = np.unique(np.round(100 * np.outer(phases, phases), 2))
  assert seen == {tuple(expected.astype(np.float32))}


def mean_spectrum(images):
  """Returns the mean amplitude spectrum of the high-pass residual, [S, S]."""
  grey = images.astype(np.float32).mean(-1)
  residual = np.stack([i - cv2.medianBlur(i, 3) for i in grey])
  return np.abs(np.fft.fft2(residual)).mean(0)


def spectrum_relative_to_real(method, dataset):
  """Returns a class's mean spectrum over that of real faces captured alike."""
  row = row_of(method, dataset)
  made = [make_image(DEFAULT, row, n) for n in range(30)]
  real = []
  for n in range(30):
    rng = np.random.default_rng(n)
    real.append(CAPTURES[dataset].apply(draw_portrait(rng, 64).image, rng))
  return mean_spectrum(np.stack(made)) / mean_spectrum(np.stack(real))


@pytest.mark.parametrize(
  'method, dataset', [('CycleGAN', 'ForgeryNIR'), ('StyleGAN2', 'ForgeryNIR')]
)
def test_learned_taps_peak_at_half_the_sampling_rate(method, dataset):
  ratio = spectrum_relative_to_real(method, dataset)
  assert ratio[0, 32] > 5 and ratio[32, 0] > 5
  assert ratio[0, 20:28].mean() < 1.5


def test_nearest_neighbour_copies_low_frequencies_to_half_the_rate():
  ratio = spectrum_relative_to_real('PGGAN', 'DFFD')
  copies = (ratio[0, 29:32].mean() + ratio[29:32, 0].mean()) / 2
  assert copies > 2 * ratio[16:24, 16:24].mean()


@pytest.mark.parametrize(
  'method, dataset', [('StyleGAN', 'DFFD'), ('StyleGAN2', 'ForgeryNet')]
)
def test_smooth_kernels_remove_high_frequencies(method, dataset):
  ratio = spectrum_relative_to_real(method, dataset)
  assert ratio[20:30, 20:30].mean() < 0.5


@pytest.mark.parametrize(
  'entry',
  [CLASSES[row] for row in FAKES],
  ids=lambda entry: f'{entry.method}-{entry.dataset}',
)
def test_a_forgery_changes_only_its_region(entry):
  portrait = draw_portrait(np.random.default_rng(5), 64)
  forged = entry.trace.apply(portrait, np.random.default_rng(6))
  change = np.abs(forged - portrait.image).mean(-1)
  assert forged.dtype == np.float32 and forged.shape == portrait.image.shape
  assert change.max() > 5
  corner = change[:6, :6].max()
  if entry.forgery_type == SYNTHESIS:
    assert corner > 0.5
  else:
    assert corner < 1e-3


def test_an_unknown_region_is_an_error():
  portrait = draw_portrait(np.random.default_rng(0), 32)
  with pytest.raises(ValueError, match='elbow'):
    face_regions.region_mask(portrait, 'elbow')
