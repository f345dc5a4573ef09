"""Tests of the random views against recorded values and OpenCV."""

import dataclasses

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax.training import augment
from owdfa_jax.training.augment import Draws
from owdfa_jax.training.views import (
  PAPERS,
  VIEW_NAMES,
  Augmentation,
  make_view,
)

draw_boxes = jax.jit(augment.draw_boxes, static_argnums=(1, 2, 3))
draw_transforms = jax.jit(augment.draw_transforms, static_argnums=(1, 2, 3))
crop_and_resize = jax.jit(augment.crop_and_resize, static_argnums=2)
apply_transforms = jax.jit(augment.apply_transforms, static_argnums=2)
random_view = jax.jit(augment.random_view, static_argnums=2)

KEY = jax.random.key(0)
VIEWS = {name: make_view(name, PAPERS) for name in VIEW_NAMES}
FURTHER = Augmentation(
  resize_probability=0.5, noise_probability=0.5, jpeg_probability=0.5
)
SHIFTED = make_view(
  'standard',
  Augmentation('shifted', crop_probability=0.5, colour_probability=0.0),
)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)


def draws(num, **changes):
  """Returns draws that change nothing, except for `changes`."""
  neutral = Draws(
    flip=jnp.zeros(num, bool),
    crop=jnp.zeros(num, bool),
    box=jnp.tile(jnp.array([0.0, 0, 16, 16]), (num, 1)),
    contrast=jnp.ones(num),
    brightness=jnp.zeros(num),
  )
  return dataclasses.replace(neutral, **changes)


def box_of(x1, y1, x2, y2):
  return jnp.array([[y1, x1, y2 - y1, x2 - x1]], jnp.float32)


@pytest.mark.golden
def test_crop_and_the_two_resizes(golden):
  file = golden('transforms')
  image = jnp.asarray(file['aug_image'], jnp.float32)[None]
  for corners, expected in zip(
    file['rrc_boxes_x1y1x2y2'], file['rrc73_then_resize64'], strict=True
  ):
    enlarged = crop_and_resize(image, box_of(*corners), 73)
    result = crop_and_resize(enlarged, box_of(0, 0, 73, 73), 64)[0]
    assert np.abs(np.asarray(result) - expected).max() <= 1


@pytest.mark.golden
def test_resize_as_opencv(golden):
  file = golden('transforms')
  suffix = '_resized_u8'
  for key in file:
    if key.endswith(suffix) and not key.startswith('calpil'):
      image = file[key.replace(suffix, '_image')]
      height, width = image.shape[:2]
      result = crop_and_resize(
        jnp.asarray(image, jnp.float32)[None],
        box_of(0, 0, width, height),
        file[key].shape[0],
      )
      assert np.abs(np.asarray(result[0]) - file[key]).max() <= 1, key


@pytest.mark.golden
def test_brightness_and_contrast(golden):
  file = golden('transforms')
  contrast, brightness = file['bc_alpha_beta_f64'].T
  images = np.repeat(file['bc_in'][None], len(contrast), 0)
  for adjust in (augment.adjust_colour, jax.jit(augment.adjust_colour)):
    result = adjust(
      images, jnp.asarray(contrast), jnp.asarray(255 * brightness)
    )
    np.testing.assert_array_equal(result, file['bc_out'])


@pytest.mark.golden
def test_boxes_are_distributed_as_in_the_reference(golden):
  file = golden('transforms')
  height, width = map(int, file['rrc_stats_image_hw'])
  boxes = np.asarray(draw_boxes(KEY, 20_000, height, width))
  heights, widths = boxes[:, 2], boxes[:, 3]
  share = heights * widths / (height * width)
  ours = heights, widths, share, np.log(widths / heights)
  # Five standard errors of the reference's 4,000 draws.
  for value, mean in zip(
    ours, file['rrc_stats_mean_h_w_area_ratio_f64'], strict=True
  ):
    assert abs(value.mean() - mean) < 5 * value.std() / np.sqrt(4000)
  quantiles = np.quantile(share, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1])
  expected = file['rrc_stats_quantiles_area_f64']
  np.testing.assert_allclose(quantiles, expected, atol=0.02)


def test_boxes_are_whole_and_inside_and_reach_every_edge():
  top, left, height, width = np.asarray(draw_boxes(KEY, 5000, 16, 16)).T
  np.testing.assert_array_equal(top, np.round(top))
  np.testing.assert_array_equal(height, np.round(height))
  for start, length in ((top, height), (left, width)):
    assert start.min() == 0 and (start + length).max() == 16
    assert length.min() >= 1
    room = 16 - length
    # Uniform over 0..room: the mean is its half.
    assert abs((start - room / 2).mean()) < 0.1


def test_box_is_the_whole_image_if_no_draw_fits():
  # One pixel high: with a ratio of at most 4/3, no box has half of the area.
  boxes = draw_boxes(KEY, 50, 1, 40)
  np.testing.assert_array_equal(boxes, np.tile([0, 0, 1, 40], (50, 1)))


@pytest.mark.parametrize('name', sorted(VIEWS))
def test_draws_have_the_probabilities_of_the_view(name):
  view = VIEWS[name]
  num = 20_000
  drawn = draw_transforms(KEY, num, 64, view)
  jittered = np.asarray(drawn.brightness != 0)
  for share, probability in (
    (drawn.flip.mean(), view.flip),
    (drawn.crop.mean(), view.crop),
    (jittered.mean(), view.jitter),
  ):
    assert abs(float(share) - probability) < 0.015
  np.testing.assert_array_equal(jittered, np.asarray(drawn.contrast != 1))
  if view.jitter:
    for change in (drawn.contrast - 1, drawn.brightness / 255):
      change = np.asarray(change)[jittered]
      assert np.abs(change).max() <= view.strength
      np.testing.assert_allclose(
        change.std(), view.strength / 3**0.5, rtol=0.03
      )
      assert abs(change.mean()) < 0.02 * view.strength + 0.005
    both = np.stack([drawn.contrast, drawn.brightness])[:, jittered]
    assert abs(np.corrcoef(both)[0, 1]) < 0.05


def test_neutral_draws_change_nothing():
  result = apply_transforms(draws(8), IMAGES, VIEWS['standard'])
  np.testing.assert_array_equal(result, IMAGES)


def test_flip_mirrors_the_chosen_rows():
  flip = jnp.arange(8) % 2 == 0
  result = apply_transforms(draws(8, flip=flip), IMAGES, VIEWS['weak'])
  np.testing.assert_array_equal(result[::2], IMAGES[::2, :, ::-1])
  np.testing.assert_array_equal(result[1::2], IMAGES[1::2])


def test_order_is_flip_crop_colour_resize():
  image = IMAGES[:1]
  drawn = draws(
    1,
    flip=jnp.ones(1, bool),
    crop=jnp.ones(1, bool),
    box=jnp.array([[2.0, 3, 12, 10]]),
    contrast=jnp.array([1.5]),
    brightness=jnp.array([-20.0]),
  )
  crop = image[0, :, ::-1][2:14, 3:13]
  enlarged = cv2.resize(crop, (18, 18)).astype(np.float64)
  adjusted = np.clip(enlarged * 1.5 - 20, 0, 255).astype(np.uint8)
  expected = cv2.resize(adjusted, (16, 16)).astype(np.float64)
  result = np.asarray(apply_transforms(drawn, image, VIEWS['standard'])[0])
  # An error of one level in the first resize is multiplied by the contrast.
  assert np.abs(result - expected).max() <= 2


def test_augmented_values_are_grey_levels():
  result = random_view(KEY, np.tile(IMAGES, (8, 1, 1, 1)), VIEWS['strong'])
  assert result.dtype == jnp.float32 and result.shape == (64, 16, 16, 3)
  np.testing.assert_array_equal(result, np.round(result))
  assert result.min() >= 0 and result.max() <= 255


def test_settings_leave_the_draws_of_the_papers_as_they_are():
  papers = draw_transforms(KEY, 100, 16, VIEWS['strong'])
  further = draw_transforms(KEY, 100, 16, make_view('strong', FURTHER))
  assert papers.shift is None and papers.degradations is None
  assert further.degradations is not None
  for field in ('flip', 'crop', 'box', 'contrast', 'brightness'):
    # Another program may round the last bit otherwise.
    np.testing.assert_allclose(
      getattr(papers, field), getattr(further, field), rtol=1e-6
    )


def test_draws_of_shifts_have_a_key_of_their_own(monkeypatch):
  keys = []
  monkeypatch.setattr(augment, 'draw_shifts', lambda key, *_: keys.append(key))
  augment.draw_transforms(KEY, 4, 16, SHIFTED)
  shift_key = jax.random.key_data(keys[0])
  for key in jax.random.split(KEY, 6):
    below = jax.random.key_data(jax.random.split(key, 3))
    assert not (below == shift_key).all(1).any()


def test_views_by_their_settings():
  assert make_view('weak', FURTHER) == VIEWS['weak']
  assert make_view('none', FURTHER) == VIEWS['none']
  assert (SHIFTED.crop, SHIFTED.shift) == (0, 0.5)
  without = make_view('standard', Augmentation(crop='none'))
  assert (without.crop, without.shift) == (0, 0)
  strengths = [
    make_view(name, Augmentation(colour_strength=0.3)).strength
    for name in ('standard', 'strong')
  ]
  assert strengths == [0.3, 0.6]


def test_shifts_are_whole_pixels_of_the_drawn_rows():
  drawn = np.asarray(augment.draw_shifts(KEY, 2000, 64, SHIFTED))
  moved = drawn[(drawn != 0).any(1)]
  assert abs(len(moved) / 2000 - 0.5) < 0.05
  assert moved.min() == -8 and moved.max() == 8
  by = np.stack(np.meshgrid([-2, 0, 1, 2], [-1, 0]), -1).reshape(8, 2)
  flip = jnp.arange(8) % 2 == 0
  drawn = draws(8, flip=flip, shift=jnp.asarray(by))
  result = apply_transforms(drawn, IMAGES, SHIFTED)
  for image, mirror, (down, right), moved in zip(
    IMAGES, flip, by, result, strict=True
  ):
    mirrored = image[:, ::-1] if mirror else image
    padded = np.pad(mirrored, ((2, 2), (2, 2), (0, 0)), mode='reflect')
    expected = padded[2 - down : 18 - down, 2 - right : 18 - right]
    np.testing.assert_array_equal(moved, expected)


def test_view_none_changes_nothing():
  np.testing.assert_array_equal(random_view(KEY, IMAGES, VIEWS['none']), IMAGES)


def test_same_result_on_one_and_eight_devices():
  mesh = jax.make_mesh(
    (8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
  )
  images = np.tile(IMAGES, (4, 1, 1, 1))
  sharded = jax.device_put(images, jax.NamedSharding(mesh, jax.P('data')))
  one = random_view(KEY, images, VIEWS['strong'])
  np.testing.assert_array_equal(one, random_view(KEY, sharded, VIEWS['strong']))
  assert not np.array_equal(one, images)
