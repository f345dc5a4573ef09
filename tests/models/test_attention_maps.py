"""CDAL's attention maps by hand-computed cases and by other libraries."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from helpers.arrays import random_features, random_normal
from owdfa_jax.models.attention_maps import AttentionMaps, Experts, depthwise

pytestmark = pytest.mark.usefixtures('quick_compile')


def test_experts_are_mixed_by_sigmoids_of_the_mean_pixel():
  experts = Experts(2, 2, 3, rngs=nnx.Rngs(0))
  experts.kernel[...] = random_normal(4, 2, 3)
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


def test_maps_are_those_of_a_conditional_ghost_module():
  module = AttentionMaps(5, 4, rngs=nnx.Rngs(0))
  x = random_features()
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


def test_depthwise_and_its_gradient_equal_a_grouped_convolution():
  x, kernels = random_normal(2, 5, 4, 3), random_normal(2, 9, 3, seed=1)

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
      return jnp.sum(y * random_normal(*x.shape, seed=2)), y

    return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(x, kernels)

  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4),
    *map(value_and_gradients, (depthwise, convolve)),
  )
