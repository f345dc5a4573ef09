"""What images suffer on their way, as augmentation."""

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from owdfa_jax.training import degradations
from owdfa_jax.training.views import Augmentation, make_view

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
resize_and_back = jax.jit(degradations.resize_and_back)
draw_degradations = jax.jit(
  degradations.draw_degradations, static_argnums=(1, 2, 3)
)
degrade_images = jax.jit(degradations.degrade_images)
VIEW = make_view(
  'standard',
  Augmentation(
    resize_probability=0.25,
    smallest_resize=0.6,
    noise_probability=0.5,
    largest_noise=3.0,
    jpeg_probability=0.75,
    lowest_quality=70,
    highest_quality=80,
  ),
)


def test_resizing_as_pillow():
  factors = np.float32([0.25, 0.4, 0.5, 0.6, 0.77, 1.0])
  result = np.asarray(resize_and_back(IMAGES.astype(np.float32), factors))
  bilinear = Image.Resampling.BILINEAR
  for image, factor, ours in zip(IMAGES, factors, result, strict=True):
    small = (round(float(factor) * 32),) * 2
    expected = Image.fromarray(image).resize(small, bilinear)
    expected = np.asarray(expected.resize((32, 32), bilinear), np.float32)
    assert np.abs(ours - expected).max() <= 2, factor
  np.testing.assert_array_equal(result[-1], IMAGES[-1])


def test_noise_has_its_strength_and_stays_in_range():
  strength = jnp.float32([0, 1, 5, 0, 300, 2])
  noise = jax.random.normal(jax.random.key(0), (6, 32, 32, 3))
  grey = jnp.full((6, 32, 32, 3), 128.0)
  result = np.asarray(degradations.add_noise(grey, noise, strength))
  np.testing.assert_array_equal(result[0], 128)
  # Rounding adds a variance of 1/12.
  for row in (1, 2, 5):
    expected = np.sqrt(float(strength[row]) ** 2 + 1 / 12)
    np.testing.assert_allclose(result[row].std(), expected, rtol=0.05)
  assert result.min() >= 0 and result.max() <= 255


def test_draws_have_the_probabilities_and_ranges_of_the_settings():
  drawn = draw_degradations(jax.random.key(0), 4000, 2, VIEW)
  factor, strength, quality = map(
    np.asarray, (drawn.factor, drawn.noise_strength, drawn.quality)
  )
  for chosen, probability in (
    (factor[factor < 1], 0.25),
    (strength[strength > 0], 0.5),
    (quality[quality > 0], 0.75),
  ):
    assert abs(len(chosen) / 4000 - probability) < 0.03
  assert factor.min() >= 0.6 and strength.max() <= 3.0
  assert sorted({*quality} - {0}) == [*range(70, 81)]
  # One does not depend on another.
  drawn_rows = np.stack([factor < 1, strength > 0, quality > 0])
  assert np.abs(np.corrcoef(drawn_rows)[np.triu_indices(3, 1)]).max() < 0.06


def test_rows_that_are_not_drawn_stay_as_they_are():
  images = np.tile(IMAGES, (8, 1, 1, 1)).astype(np.float32)
  drawn = draw_degradations(jax.random.key(1), 48, 32, VIEW)
  result = np.asarray(degrade_images(drawn, images))
  untouched = (
    (np.asarray(drawn.factor) == 1)
    & (np.asarray(drawn.noise_strength) == 0)
    & (np.asarray(drawn.quality) == 0)
  )
  assert 0 < untouched.sum() < 48
  changed = np.any(result != images, axis=(1, 2, 3))
  np.testing.assert_array_equal(changed, ~untouched)
  np.testing.assert_array_equal(result, np.round(result))


def test_same_result_on_one_and_eight_devices():
  mesh = jax.make_mesh(
    (8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
  )
  images = np.tile(IMAGES, (8, 1, 1, 1)).astype(np.float32)
  sharded = jax.device_put(images, jax.NamedSharding(mesh, jax.P('data')))
  drawn = draw_degradations(jax.random.key(1), 48, 32, VIEW)
  result = degrade_images(drawn, sharded)
  assert not result.sharding.is_fully_replicated
  one = np.asarray(degrade_images(drawn, images))
  # A sum in another order may round to the next grey level, and that to
  # another step of the JPEG.
  assert np.mean(result != one) < 1e-3
