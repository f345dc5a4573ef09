"""Simulated images: no content follows the class, each trace is its own."""

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from input_pipeline.forgery_types import SYNTHESIS
from input_pipeline.simulate import classes, resample, traces, write
from input_pipeline.simulate.capture import CAPTURES
from input_pipeline.simulate.faces import draw_face

FAKES = [row for row, c in enumerate(classes.CLASSES) if c.label_1 is not None]


def row_of(method, source):
  [row] = [
    row
    for row, c in enumerate(classes.CLASSES)
    if (c.method, c.source) == (method, source)
  ]
  return row


@pytest.fixture(scope='module')
def fakes():
  """[20, 48, 64, 64, 3] uint8: Protocol 1 at the default size."""
  return np.stack(
    [
      [write.make_image(n, row, 64, 11, None) for n in range(48)]
      for row in FAKES
    ]
  )


def test_an_image_depends_on_seed_class_and_index_alone():
  row = row_of('FOMM', 'ForgeryNet')
  image = write.make_image(7, row, 48, 1, None)
  assert image.shape == (48, 48, 3) and image.dtype == np.uint8
  np.random.seed(0)
  np.testing.assert_array_equal(image, write.make_image(7, row, 48, 1, None))
  assert np.any(image != write.make_image(7, row, 48, 2, None))
  assert np.any(image != write.make_image(8, row, 48, 1, None))


def test_faces_of_the_same_index_differ_between_classes():
  a = write.make_image(0, row_of('Real', 'FF++'), 64, 0, None)
  b = write.make_image(0, row_of('Real', 'CelebDF'), 64, 0, None)
  assert np.abs(a.astype(int) - b).mean() > 10


def probe_accuracy(images):
  """Test accuracy of a linear probe on 8x8 thumbnails, [K, N, S, S, 3]."""
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


def test_thumbnails_stay_under_twice_chance(fakes):
  assert probe_accuracy(fakes) < 2 / 20


def test_the_probe_would_notice_content_that_follows_the_class(fakes):
  shift = np.arange(20).reshape(20, 1, 1, 1, 1) * 4
  leaky = np.clip(fakes.astype(int) + shift * np.array((1, -1, 0)), 0, 255)
  assert probe_accuracy(leaky.astype(np.uint8)) > 2 / 20


@pytest.mark.parametrize('frequency', [4, 10, 13])
def test_zero_insertion_copies_the_spectrum(frequency):
  """A box at stride 2 weights frequency f and its copy at 1/2 - f by
  cos(pi f) and sin(pi f)."""
  size = 64
  wave = np.cos(2 * np.pi * frequency * np.arange(size) / size)
  image = np.broadcast_to(wave[None, :, None], (size, size, 3))
  made = resample.up_convolve(
    np.ascontiguousarray(image, np.float32), 2, classes.BOX
  )
  spectrum = np.abs(np.fft.rfft(made[size // 2, :, 0]))
  copy = spectrum[size // 2 - frequency] / spectrum[frequency]
  assert copy == pytest.approx(np.tan(np.pi * frequency / size), rel=1e-4)


@pytest.mark.parametrize('taps', [classes.BOX, classes.TENT, classes.FIR])
def test_even_kernels_keep_a_flat_picture_flat(taps):
  flat = np.full((33, 33, 3), 90, np.float32)
  np.testing.assert_allclose(
    resample.up_convolve(flat, 2, taps), flat, rtol=1e-5
  )


def test_uneven_overlap_leaves_a_checkerboard():
  flat = np.full((32, 32, 3), 100, np.float32)
  made = resample.up_convolve(flat, 2, (0.6, 1.0, 0.6))[:, :, 0]
  # Phase sums 1 and 1.2 of a kernel scaled by 2 / 2.2, in both directions.
  phases = np.array((1.0, 1.2)) * 2 / 2.2
  seen = {tuple(np.round(np.unique(made), 2))}
  expected = np.unique(np.round(100 * np.outer(phases, phases), 2))
  assert seen == {tuple(expected.astype(np.float32))}


def mean_spectrum(images):
  """Mean amplitude spectrum of the high-pass residual, [S, S]."""
  grey = images.astype(np.float32).mean(-1)
  residual = np.stack([i - cv2.medianBlur(i, 3) for i in grey])
  return np.abs(np.fft.fft2(residual)).mean(0)


def spectrum_against_genuine(method, source):
  """Mean spectrum of a class over that of genuine faces captured alike."""
  row = row_of(method, source)
  made = [write.make_image(n, row, 64, 11, None) for n in range(30)]
  genuine = []
  for n in range(30):
    rng = np.random.default_rng(n)
    genuine.append(CAPTURES[source].apply(draw_face(rng, 64).image, rng))
  return mean_spectrum(np.stack(made)) / mean_spectrum(np.stack(genuine))


@pytest.mark.parametrize(
  'method, source', [('CycleGAN', 'ForgeryNIR'), ('StyleGAN2', 'ForgeryNIR')]
)
def test_learned_taps_peak_at_half_the_sampling_rate(method, source):
  ratio = spectrum_against_genuine(method, source)
  assert ratio[0, 32] > 5 and ratio[32, 0] > 5
  assert ratio[0, 20:28].mean() < 1.5


def test_nearest_neighbour_copies_the_low_band_around_half_the_rate():
  ratio = spectrum_against_genuine('PGGAN', 'DFFD')
  copies = (ratio[0, 29:32].mean() + ratio[29:32, 0].mean()) / 2
  assert copies > 2 * ratio[16:24, 16:24].mean()


@pytest.mark.parametrize(
  'method, source', [('StyleGAN', 'DFFD'), ('StyleGAN2', 'ForgeryNet')]
)
def test_smooth_kernels_leave_too_little_of_the_fine_band(method, source):
  ratio = spectrum_against_genuine(method, source)
  assert ratio[20:30, 20:30].mean() < 0.5


@pytest.mark.parametrize(
  'entry',
  [classes.CLASSES[row] for row in FAKES],
  ids=lambda entry: f'{entry.method}-{entry.source}',
)
def test_a_forgery_changes_its_region_and_only_that(entry):
  face = draw_face(np.random.default_rng(5), 64)
  forged = entry.trace.apply(face, np.random.default_rng(6))
  change = np.abs(forged - face.image).mean(-1)
  assert forged.dtype == np.float32 and forged.shape == face.image.shape
  assert change.max() > 5
  corner = change[:6, :6].max()
  if entry.forgery_type == SYNTHESIS:
    assert corner > 0.5
  else:
    assert corner < 1e-3


def test_unknown_region_is_an_error():
  face = draw_face(np.random.default_rng(0), 32)
  with pytest.raises(ValueError, match='elbow'):
    traces.region(face, 'elbow')
