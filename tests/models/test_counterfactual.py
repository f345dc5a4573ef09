"""CDAL's branch by hand-computed cases and by its properties."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from helpers.arrays import random_features, random_normal
from owdfa_jax import parallel
from owdfa_jax.losses.cdal import attention_effect_loss, feature_distance
from owdfa_jax.models.counterfactual import (
  CounterfactualBranch,
  attention_pool,
  distance_of_other_maps,
  sample_map,
)
from owdfa_jax.models.create import create_classifier
from owdfa_jax.models.outputs import Branches

pytestmark = pytest.mark.usefixtures('quick_compile')
KEY = jax.random.key(0)


def make_branch(channels=5, classes=3, maps=4, dropout=0.0):
  """Returns a branch's (graphdef, params, batch_stats)."""
  model = CounterfactualBranch(
    channels, classes, maps=maps, dropout=dropout, rngs=nnx.Rngs(1)
  )
  return nnx.split(model, nnx.Param, nnx.BatchStat)


def forward(graphdef, params, stats, x, key=KEY):
  return nnx.merge(graphdef, params, stats, copy=True)(x, key=key)


compiled_forward = jax.jit(forward, static_argnums=0)


def test_shapes_and_types():
  outputs = compiled_forward(*make_branch(), random_features())
  for name, value in vars(outputs).items():
    assert value.shape == ((6,) if name == 'distance' else (6, 3)), name
    assert value.dtype == jnp.float32
    assert jnp.all(jnp.isfinite(value))


@pytest.mark.parametrize('width', [0.125, 0.5, 1.375])
def test_classifier_of_any_width_can_have_the_branch(width):
  model = nnx.eval_shape(
    lambda: create_classifier(
      backbone='small',
      width=width,
      num_outputs=3,
      image_size=32,
      branches=Branches(counterfactual=True),
      rngs=nnx.Rngs(0),
    )
  )
  images = jnp.zeros((2, 32, 32, 3))
  outputs = nnx.eval_shape(
    lambda m: m(images, train=True, key=jax.random.key(0)), model
  )
  assert outputs.counterfactual.factual.shape == (2, 3)


def test_pooling_by_hand():
  maps = np.zeros((1, 1, 2, 2), np.float32)
  maps[0, 0] = [[1, 0], [1, 2]]  # two pixels, two maps
  x = np.float32([[[[4], [12]]]])
  root = np.sqrt(np.float32([8, 12]) + 1e-6)  # (4 + 12) / 2, 2 * 12 / 2
  expected = root / np.sqrt(20)
  np.testing.assert_allclose(
    attention_pool(maps, x)[0, :, 0], expected, rtol=1e-6
  )
  np.testing.assert_allclose(
    attention_pool(maps, -x)[0, :, 0], -expected, rtol=1e-6
  )


def test_pooled_features_have_length_one_unless_all_maps_are_zero():
  maps = np.maximum(random_normal(3, 4, 4, 6), 0)
  maps[2] = 0
  pooled = attention_pool(maps, random_features(3, 4, 4))
  lengths = np.linalg.norm(pooled.reshape(3, -1), axis=-1)
  np.testing.assert_allclose(lengths, [1, 1, 0], rtol=1e-5)


def test_maps_are_drawn_by_the_root_of_their_sums():
  maps = np.zeros((4000, 1, 2, 4), np.float32)
  maps[..., 0, :] = [1, 4, 6, 0]
  maps[..., 1, :] = [0, 0, 3, 0]
  index, sampled = sample_map(maps, KEY)
  share = np.bincount(index, minlength=4) / 4000
  np.testing.assert_allclose(share, [1 / 6, 2 / 6, 3 / 6, 0], atol=0.03)
  np.testing.assert_array_equal(
    sampled[..., 0], maps[np.arange(4000), :, :, index]
  )


def test_maps_of_zeros_are_drawn_evenly():
  index, _ = sample_map(np.zeros((4000, 1, 1, 4), np.float32), KEY)
  np.testing.assert_allclose(np.bincount(index) / 4000, 0.25, atol=0.03)


def test_distance_leaves_out_the_sampled_map():
  feature = np.zeros((2, 3, 2), np.float32)
  other = feature.copy()
  other[:, 0] = [3, 4]
  other[:, 2] = [0, 1]
  distance = distance_of_other_maps(feature, other, np.array([0, 1]))
  np.testing.assert_allclose(distance, [1 / 3, 6 / 3])


def test_gradient_is_zero_where_the_distance_is():
  feature = random_features(2, 1, 3, 4)[:, 0]
  gradient = jax.grad(
    lambda x: distance_of_other_maps(
      x, jnp.asarray(feature), jnp.zeros(2, int)
    ).sum()
  )(jnp.asarray(feature))
  np.testing.assert_array_equal(gradient, 0)


def test_permuted_rows_give_permuted_logits():
  order = np.random.RandomState(1).permutation(6)
  x, branch = random_features(), make_branch()
  straight = compiled_forward(*branch, x)
  permuted = compiled_forward(*branch, x[order])
  for name in ('factual', 'counterfactual'):
    np.testing.assert_allclose(
      getattr(permuted, name), getattr(straight, name)[order], atol=1e-4
    )


@functools.partial(jax.jit, static_argnums=0)
def gradients(graphdef, params, stats, x):
  """Returns the losses' gradients by the parameters and the features."""
  label = np.array([0, -1, 2, -1, 1, 1])

  def loss(params, x):
    outputs = forward(graphdef, params, stats, x)
    return attention_effect_loss(outputs, label, 0.2) + feature_distance(
      outputs
    )

  return jax.grad(loss, (0, 1))(params, x)


def test_gradient_reaches_the_stage_and_every_parameter():
  params, x = gradients(*make_branch(dropout=0.3), random_features())
  for path, leaf in jax.tree_util.tree_leaves_with_path((params, x)):
    assert np.isfinite(leaf).all(), path
    assert np.abs(leaf).max() > 0, path
  # Unlabelled rows too, through the batch statistics and the distance.
  assert (np.abs(x).max((1, 2, 3)) > 0).all()


def test_gradient_is_finite_where_features_are_zero():
  x = random_features()
  x[2:4] = 0
  for value in (x, np.zeros_like(x)):
    for leaf in jax.tree.leaves(gradients(*make_branch(dropout=0.3), value)):
      assert np.isfinite(leaf).all()


def test_factual_and_counterfactual_maps_share_no_parameters():
  graphdef, params, stats = make_branch()
  x = random_features()

  def change(tree, kind):
    changed = jax.tree.map(lambda leaf: leaf, tree)
    kernel = changed[kind]['primary']['kernel']
    kernel.set_value(kernel[...] * random_normal(*kernel.shape))
    return changed

  before = compiled_forward(graphdef, params, stats, x)
  for kind, other in (
    ('factual', 'counterfactual'),
    ('counterfactual', 'factual'),
  ):
    after = compiled_forward(graphdef, change(params, kind), stats, x)
    difference = getattr(after, kind) - getattr(before, kind)
    assert np.abs(difference).max() > 1e-3
    np.testing.assert_array_equal(getattr(after, other), getattr(before, other))


def test_everything_random_depends_on_the_key():
  branch = make_branch(dropout=0.3)
  first, again, other = (
    compiled_forward(*branch, random_features(), jax.random.key(seed))
    for seed in (1, 1, 2)
  )
  jax.tree.map(np.testing.assert_array_equal, first, again)
  for name, value in vars(first).items():
    assert np.abs(value - getattr(other, name)).max() > 1e-4, name


def test_eight_devices_agree_with_one():
  graphdef, params, stats = make_branch()
  x = random_features(batch=8)
  results = []
  for devices in (1, 8):
    placement = parallel.make_placement(jax.devices()[:devices])
    variables = jax.device_put((params, stats), placement.replicated)
    results.append(
      compiled_forward(graphdef, *variables, placement.put_batch({'x': x})['x'])
    )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *results
  )
