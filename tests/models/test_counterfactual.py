"""CDAL's branch by hand-computed cases and by its properties."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from owdfa_jax import parallel
from owdfa_jax.losses import counterfactual
from owdfa_jax.models import classifier
from owdfa_jax.models import counterfactual as lib
from owdfa_jax.models.outputs import Branches

pytestmark = pytest.mark.usefixtures('quick_compile')
KEY = jax.random.key(0)


def draw(*shape, seed=0):
  return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def features(batch=6, height=8, width=8, channels=5, seed=0):
  """As after a ReLU."""
  return np.maximum(draw(batch, height, width, channels, seed=seed), 0)


def branch(channels=5, classes=3, maps=4, dropout=0.0):
  """(graphdef, params, batch_stats)."""
  model = lib.Counterfactual(
    channels, classes, maps=maps, dropout=dropout, rngs=nnx.Rngs(1)
  )
  return nnx.split(model, nnx.Param, nnx.BatchStat)


def run(graphdef, params, stats, x, key=KEY):
  return nnx.merge(graphdef, params, stats, copy=True)(x, key=key)


apply = jax.jit(run, static_argnums=0)


def test_shapes_and_types():
  outputs = apply(*branch(), features())
  for name, value in vars(outputs).items():
    assert value.shape == ((6,) if name == 'distance' else (6, 3)), name
    assert value.dtype == jnp.float32
    assert jnp.all(jnp.isfinite(value))


def test_routing_weights_and_mixture_by_hand():
  experts = lib.Experts(2, 2, 3, rngs=nnx.Rngs(0))
  experts.kernel[...] = draw(4, 2, 3)
  experts.router.kernel[...] = jnp.zeros((2, 4)).at[0].set([0, 1, -1, 100])
  experts.router.bias[...] = jnp.float32([0, 0, 0, -50])
  x = np.zeros((2, 2, 2, 2), np.float32)
  x[1, 0, 0, 0] = 4  # a mean of 1
  kernel = np.asarray(experts.kernel[...])
  half, sigmoid = 0.5, 1 / (1 + np.exp(-1))
  np.testing.assert_allclose(
    experts(x),
    [
      half * (kernel[0] + kernel[1] + kernel[2]),
      half * kernel[0]
      + sigmoid * kernel[1]
      + (1 - sigmoid) * kernel[2]
      + kernel[3],
    ],
    rtol=1e-5,
    atol=1e-6,
  )


@pytest.mark.parametrize('width', [0.125, 0.5, 1.375])
def test_any_width_has_room_for_the_branch(width):
  model = classifier.create(
    backbone='small',
    width=width,
    num_outputs=3,
    image_size=32,
    branches=Branches(counterfactual=True),
    rngs=nnx.Rngs(0),
  )
  images = jnp.zeros((2, 32, 32, 3))
  seen = nnx.eval_shape(
    lambda m: m(images, train=True, key=jax.random.key(0)), model
  )
  assert seen.counterfactual.factual.shape == (2, 3)


def test_maps_are_those_of_a_conditional_ghost_module():
  module = lib.AttentionMaps(5, 4, rngs=nnx.Rngs(0))
  x = features()
  maps = np.asarray(module(x))
  assert maps.shape == (6, 8, 8, 4)

  def normalise(y):
    y = (y - y.mean((0, 1, 2))) / np.sqrt(y.var((0, 1, 2)) + 1e-5)
    return np.maximum(y, 0)

  primary = np.stack(
    [row @ k for row, k in zip(x, module.primary(x), strict=True)]
  )
  primary = normalise(primary)
  np.testing.assert_allclose(maps[..., :2], primary, rtol=1e-4, atol=1e-5)
  kernels = np.asarray(module.cheap(primary)).reshape(6, 3, 3, 2)
  cheap = np.zeros_like(primary)
  for i in range(6):
    for channel in range(2):
      cheap[i, ..., channel] = cv2.filter2D(
        primary[i, ..., channel],
        -1,
        kernels[i, ..., channel],
        borderType=cv2.BORDER_CONSTANT,
      )
  np.testing.assert_allclose(
    maps[..., 2:], normalise(cheap), rtol=1e-3, atol=1e-4
  )


def test_depthwise_and_its_gradient_are_a_grouped_convolutions():
  x, kernels = draw(2, 5, 4, 3), draw(2, 9, 3, seed=1)

  def convolve(x, kernels):
    rows = [
      jax.lax.conv_general_dilated(
        row[None],
        kernel.reshape(3, 3, 1, 3),
        (1, 1),
        'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=3,
      )
      for row, kernel in zip(x, kernels, strict=True)
    ]
    return jnp.concatenate(rows)

  def value_and_gradients(function):
    def loss(x, kernels):
      y = function(x, kernels)
      return jnp.sum(y * draw(*x.shape, seed=2)), y

    return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(x, kernels)

  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4),
    *map(value_and_gradients, (lib.depthwise, convolve)),
  )


def test_pooling_by_hand():
  maps = np.zeros((1, 1, 2, 2), np.float32)
  maps[0, 0] = [[1, 0], [1, 2]]  # two pixels, two maps
  x = np.float32([[[[4], [12]]]])
  root = np.sqrt(np.float32([8, 12]) + 1e-6)  # (4 + 12) / 2, 2 * 12 / 2
  expected = root / np.sqrt(20)
  np.testing.assert_allclose(lib.pool(maps, x)[0, :, 0], expected, rtol=1e-6)
  np.testing.assert_allclose(lib.pool(maps, -x)[0, :, 0], -expected, rtol=1e-6)


def test_pooled_features_have_length_one_and_may_be_empty():
  maps = np.maximum(draw(3, 4, 4, 6), 0)
  maps[2] = 0
  pooled = lib.pool(maps, features(3, 4, 4))
  lengths = np.linalg.norm(pooled.reshape(3, -1), axis=-1)
  np.testing.assert_allclose(lengths, [1, 1, 0], rtol=1e-5)


def test_maps_are_drawn_by_the_root_of_their_sums():
  maps = np.zeros((4000, 1, 2, 4), np.float32)
  maps[..., 0, :] = [1, 4, 6, 0]
  maps[..., 1, :] = [0, 0, 3, 0]
  index, chosen = lib.sample_map(maps, KEY)
  share = np.bincount(index, minlength=4) / 4000
  np.testing.assert_allclose(share, [1 / 6, 2 / 6, 3 / 6, 0], atol=0.03)
  np.testing.assert_array_equal(
    chosen[..., 0], maps[np.arange(4000), :, :, index]
  )


def test_maps_of_zeros_are_drawn_evenly():
  index, _ = lib.sample_map(np.zeros((4000, 1, 1, 4), np.float32), KEY)
  np.testing.assert_allclose(np.bincount(index) / 4000, 0.25, atol=0.03)


@pytest.mark.parametrize('size', [32, 24, 15, 4])
def test_shrinking_is_halving_then_opencvs_blur(size):
  image = draw(size, size)
  small = cv2.resize(image, (size // 2, size // 2))
  if size > 4:
    small = cv2.GaussianBlur(
      small, (11, 11), 7, borderType=cv2.BORDER_REFLECT_101
    )
    matrix = lib.shrink_matrix(size)
    np.testing.assert_allclose(matrix @ image @ matrix.T, small, atol=1e-5)
  matrix = lib.resize_matrix(size, size // 2)
  half = cv2.resize(image, (size // 2, size // 2))
  np.testing.assert_allclose(matrix @ image @ matrix.T, half, atol=1e-5)
  matrix = lib.resize_matrix(size // 2, size)
  np.testing.assert_allclose(
    matrix @ half @ matrix.T, cv2.resize(half, (size, size)), atol=1e-5
  )


@pytest.mark.parametrize('size', [1, 2, 3, 7, 64])
def test_matrices_keep_a_constant(size):
  np.testing.assert_allclose(lib.shrink_matrix(size).sum(1), 1)
  np.testing.assert_allclose(lib.resize_matrix(size, 9).sum(1), 1)


def test_augmentation_keeps_degrades_and_adds_noise(monkeypatch):
  x = features(2, 16, 12)
  one, zero = (np.full((2, 16, 12, 1), v, np.float32) for v in (1, 0))
  np.testing.assert_array_equal(lib.augment(x, one, zero, KEY), x)
  np.testing.assert_array_equal(lib.augment(x, zero, zero, KEY), 0)
  noisy = lib.augment(x, zero, one, KEY)
  monkeypatch.setattr(lib, 'NOISE', 0.0)
  blurred = lib.augment(x, zero, one, KEY)
  assert np.std(blurred, (1, 2)).max() < 0.2 * np.std(x, (1, 2)).min()
  # Bilinear doubling keeps 25 / 64 of the variance of white noise.
  np.testing.assert_allclose(np.std(noisy - blurred), 0.0625, rtol=0.15)
  both = lib.augment(x, 2 * one, 3 * one, KEY)
  np.testing.assert_allclose(both, 2 * x + 3 * blurred, rtol=1e-5)


def test_distance_leaves_out_the_sampled_map():
  feature = np.zeros((2, 3, 2), np.float32)
  other = feature.copy()
  other[:, 0] = [3, 4]
  other[:, 2] = [0, 1]
  distance = lib.distance(feature, other, np.array([0, 1]))
  np.testing.assert_allclose(distance, [1 / 3, 6 / 3])


def test_gradient_of_no_distance_is_finite():
  feature = features(2, 1, 3, 4)[:, 0]
  gradient = jax.grad(
    lambda x: lib.distance(x, jnp.asarray(feature), jnp.zeros(2, int)).sum()
  )(jnp.asarray(feature))
  np.testing.assert_array_equal(gradient, 0)


def test_permuted_rows_give_permuted_logits():
  order = np.random.RandomState(1).permutation(6)
  x, parts = features(), branch()
  straight, permuted = apply(*parts, x), apply(*parts, x[order])
  for name in ('factual', 'counterfactual'):
    np.testing.assert_allclose(
      getattr(permuted, name), getattr(straight, name)[order], atol=1e-4
    )


@functools.partial(jax.jit, static_argnums=0)
def gradients(graphdef, params, stats, x):
  """Of the parameters and the stage's features."""
  label = np.array([0, -1, 2, -1, 1, 1])

  def loss(params, x):
    outputs = run(graphdef, params, stats, x)
    auxiliary = counterfactual.auxiliary(outputs, label, 0.2)
    return auxiliary + counterfactual.match(outputs)

  return jax.grad(loss, (0, 1))(params, x)


def test_gradient_reaches_the_stage_and_every_parameter():
  params, x = gradients(*branch(dropout=0.3), features())
  for path, leaf in jax.tree_util.tree_leaves_with_path((params, x)):
    assert np.isfinite(leaf).all(), path
    assert np.abs(leaf).max() > 0, path
  # Through the batch statistics and the match term, unlabelled ones too.
  assert (np.abs(x).max((1, 2, 3)) > 0).all()


def test_gradient_is_finite_where_features_are_zero():
  x = features()
  x[2:4] = 0
  for value in (x, np.zeros_like(x)):
    for leaf in jax.tree.leaves(gradients(*branch(dropout=0.3), value)):
      assert np.isfinite(leaf).all()


def test_the_two_kinds_of_maps_share_nothing():
  graphdef, params, stats = branch()
  x = features()

  def change(tree, kind):
    changed = jax.tree.map(lambda leaf: leaf, tree)
    kernel = changed[kind]['primary']['kernel']
    kernel.set_value(kernel[...] * draw(*kernel.shape))
    return changed

  before = apply(graphdef, params, stats, x)
  for kind, other in (
    ('factual', 'counterfactual'),
    ('counterfactual', 'factual'),
  ):
    after = apply(graphdef, change(params, kind), stats, x)
    difference = getattr(after, kind) - getattr(before, kind)
    assert np.abs(difference).max() > 1e-3
    np.testing.assert_array_equal(getattr(after, other), getattr(before, other))


def test_all_chance_comes_from_the_key():
  parts = branch(dropout=0.3)
  first, again, other = (
    apply(*parts, features(), jax.random.key(seed)) for seed in (1, 1, 2)
  )
  jax.tree.map(np.testing.assert_array_equal, first, again)
  for name, value in vars(first).items():
    assert np.abs(value - getattr(other, name)).max() > 1e-4, name


def test_eight_devices_agree_with_one():
  graphdef, params, stats = branch()
  x = features(batch=8)
  results = []
  for devices in (1, 8):
    placement = parallel.place(jax.devices()[:devices])
    variables = jax.device_put((params, stats), placement.replicated)
    results.append(
      apply(graphdef, *variables, placement.put_batch({'x': x})['x'])
    )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *results
  )
