"""Batch normalisation by hand and on several devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from owdfa_jax.models import batch_norm
from owdfa_jax.models.batch_norm import BatchNorm


def step(norm, x):
  """Returns the output of a compiled training step and the new statistics."""
  graphdef, params, stats = nnx.split(norm, nnx.Param, nnx.BatchStat)

  @jax.jit
  def run(params, stats, x):
    module = nnx.merge(graphdef, params, stats, copy=True)
    y = module(x, train=True)
    return y, module.mean[...], module.var[...]

  return run(params, stats, x)


def test_output_has_the_biased_variance_statistics_the_unbiased_one():
  norm = BatchNorm(1)
  x = jnp.array([[0.0], [2.0], [4.0], [6.0]])  # mean 3, sum of squares 20
  y, mean, var = step(norm, x)
  biased = 20 / 4
  np.testing.assert_allclose(y, (x - 3) / np.sqrt(biased + 1e-5), rtol=1e-6)
  np.testing.assert_allclose(mean, [0.1 * 3], rtol=1e-6)
  np.testing.assert_allclose(var, [0.9 + 0.1 * 20 / 3], rtol=1e-6)


def test_statistics_are_over_all_pixels_of_the_batch():
  x = jax.random.normal(jax.random.key(0), (3, 4, 5, 2))
  _, mean, var = step(BatchNorm(2), x)
  rows = np.asarray(x).reshape(-1, 2)
  np.testing.assert_allclose(mean, 0.1 * rows.mean(0), atol=1e-6)
  np.testing.assert_allclose(var, 0.9 + 0.1 * rows.var(0, ddof=1), rtol=1e-5)


def test_evaluation_uses_the_running_statistics_unchanged():
  norm = BatchNorm(2)
  norm.mean[...], norm.var[...] = jnp.array([1.0, 2.0]), jnp.array([4.0, 9.0])
  norm.scale[...], norm.bias[...] = jnp.array([3.0, 1.0]), jnp.array([0.0, 5.0])
  y = norm(jnp.array([[3.0, 5.0]]), train=False)
  np.testing.assert_allclose(y, [[3.0, 6.0]], rtol=1e-5)
  np.testing.assert_array_equal(norm.mean[...], [1.0, 2.0])


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('has_bias', [True, False])
def test_gradient_is_what_jax_derives(dtype, has_bias):
  draws = jax.random.normal(jax.random.key(2), (6, 4, 5, 3))
  x = (3 * draws + 1).astype(dtype)
  scale = jnp.array([2.0, 0.5, 1.0])
  bias = jnp.array([1.0, 0.0, -1.0]) if has_bias else None

  def plain(x, scale, bias, epsilon):
    mean, variance = batch_norm.moments(x, (0, 1, 2))
    y = batch_norm.standardise(x, mean, variance, epsilon) * scale
    return ((y if bias is None else y + bias).astype(x.dtype), mean, variance)

  def gradients(normalise):
    def loss(x, scale, bias):
      y, _, _ = normalise(x, scale, bias, 1e-5)
      return jnp.sum(jnp.sin(y.astype(jnp.float32)))

    found = jax.jit(jax.grad(loss, (0, 1, 2)))(x, scale, bias)
    return jax.tree.map(lambda each: each.astype(jnp.float32), found)

  tolerance = 1e-5 if dtype == 'float32' else 2e-2
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, atol=tolerance, rtol=1e-4),
    gradients(batch_norm.normalise_batch),
    gradients(plain),
  )


def test_neck_has_no_bias_parameter():
  assert set(nnx.state(BatchNorm(3, use_bias=False), nnx.Param)) == {'scale'}


def test_statistics_stay_float32_under_bfloat16():
  # bfloat16 has 8 bits of precision: near 1000 its values are 4 apart.
  x = (1000 + 8 * jax.random.normal(jax.random.key(1), (512, 2))).astype(
    jnp.bfloat16
  )
  y, mean, var = step(BatchNorm(2), x)
  assert y.dtype == jnp.bfloat16
  assert mean.dtype == var.dtype == jnp.float32
  exact = np.asarray(x, np.float64)
  np.testing.assert_allclose(mean, 0.1 * exact.mean(0), rtol=1e-6)
  np.testing.assert_allclose(var, 0.9 + 0.1 * exact.var(0, ddof=1), rtol=1e-4)


def test_variance_is_exact_for_a_large_mean():
  x = jnp.array([[1e4], [1e4 + 1]])
  _, variance = batch_norm.moments(x, (0,))
  np.testing.assert_allclose(variance, [0.25], rtol=1e-6)


@pytest.mark.parametrize('shape', [(16, 6), (16, 4, 4, 6)])
def test_statistics_are_those_of_the_global_batch(shape):
  # Rows differ far more between devices than within one.
  x = jax.random.normal(jax.random.key(2), shape)
  x += jnp.arange(16.0).reshape(-1, *[1] * (len(shape) - 1))
  mesh = jax.make_mesh(
    (jax.device_count(),), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
  )
  assert mesh.size == 8
  sharded = jax.device_put(x, jax.NamedSharding(mesh, jax.P('data')))
  for one, eight in zip(
    step(BatchNorm(6), x), step(BatchNorm(6), sharded), strict=True
  ):
    np.testing.assert_allclose(one, eight, rtol=1e-5, atol=1e-6)
