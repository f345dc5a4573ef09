"""The images that a page shows of each name, and the spectra beside them."""

import numpy as np
import pytest

from owdfa_jax.page.galleries import (
  Gallery,
  chosen_of_clusters,
  mean_spectrum,
  mosaic,
  nearest_known,
  shown_rows,
  spectrum_rows,
  thumbnail,
)
from owdfa_jax.page.verdicts import Verdicts


def verdicts(output, confidence, group=None):
  count = len(output)
  return Verdicts(
    image=[f'{n}.png' for n in range(count)],
    row=np.arange(count),
    output=np.array(output),
    confidence=np.array(confidence),
    source=[''] * count,
    name={},
    group=np.arange(count) if group is None else np.array(group),
  )


def test_most_typical_and_most_doubtful_images_are_chosen():
  confidence = np.linspace(0.1, 0.9, 21)
  found = chosen_of_clusters(verdicts([3] * 20 + [5], confidence))
  typical, doubtful = found[3]
  assert typical == [*range(19, 11, -1)]
  assert doubtful == [*range(8)]
  # A single image is shown once.
  assert found[5] == ([20], [])


def test_many_names_have_fewer_images_each():
  count = 400
  found = chosen_of_clusters(
    verdicts(np.repeat(np.arange(count), 4), np.linspace(0, 1, 4 * count))
  )
  shown = sum(len(kind) for kinds in found.values() for kind in kinds)
  assert count <= shown <= 1000


def test_spectrum_is_of_images_of_the_name():
  found = spectrum_rows(verdicts([0, 1], [0.5, 0.5], group=[0, 1, 1, 0, 1]), 1)
  np.testing.assert_array_equal(found, [1, 2, 4])
  many = spectrum_rows(verdicts([7] * 1000, np.ones(1000)), 7)
  assert len(many) == 64 and many[0] == 0 and many[-1] == 999


@pytest.mark.parametrize('period', [4, 8])
def test_stripes_are_peaks_on_both_sides_of_the_middle(period):
  draws = np.random.default_rng(0)
  images = draws.integers(100, 140, (3, 64, 64, 3)).astype(np.uint8)
  images[:, :, ::period] += 80
  found = mean_spectrum([*images])
  assert found.shape == (64, 64)
  step, row = 64 // period, found[32]
  for side in (-1, 1):
    # The logarithm at the frequency of the stripes, and halfway to the middle.
    peak, below = row[32 + side * step], row[32 + side * step // 2]
    assert peak > below + 1.5
  # Opposite frequencies are equal, but for those without an opposite.
  np.testing.assert_allclose(
    found[1:, 1:], found[1:, 1:][::-1, ::-1], rtol=1e-5
  )


def test_nearest_known_source_has_the_most_similar_spectrum():
  draws = np.random.default_rng(0)
  known = draws.normal(size=(2, 8, 8))
  novel = known[1] + 0.3 * draws.normal(size=(8, 8))
  gallery = Gallery(
    row=np.zeros(0, int),
    image=np.zeros((0, 4, 4, 3), np.uint8),
    output=np.array([0, 1, 6]),
    spectrum=np.stack([*known, novel]),
  )
  assert nearest_known(gallery, 2) == {0: 1, 1: 0, 6: 1}
  assert nearest_known(gallery, 0) == {}


def test_large_images_are_made_small():
  image = np.full((256, 256, 3), 7, np.uint8)
  assert thumbnail(image).shape == (96, 96, 3)
  assert thumbnail(image[:64, :64]) is not None
  np.testing.assert_array_equal(thumbnail(image[:64, :64]), image[:64, :64])


def test_a_group_is_shown_by_four_of_its_images():
  many = verdicts([0, 1], [0.5, 0.5], group=[0, 1, 1, 1, 1, 1, 1, 1])
  np.testing.assert_array_equal(shown_rows(many, 1), [1, 3, 5, 7])
  np.testing.assert_array_equal(shown_rows(many, 0), [0])
  images = [np.full((64, 64, 3), 10 * n, np.uint8) for n in range(4)]
  found = mosaic(images)
  assert found.shape == (64, 64, 3)
  corners = found[::63, ::63, 0]
  np.testing.assert_array_equal(corners, [[0, 10], [20, 30]])
  np.testing.assert_array_equal(mosaic(images[3:]), images[3])
