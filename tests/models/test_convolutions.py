"""Convolutions: the gradients that processors compute, and XLA's own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from helpers.arrays import random_normal
from owdfa_jax import parallel
from owdfa_jax.models.convolutions import conv, convolve


def plain(x, kernel, strides, padding):
  return jax.lax.conv_general_dilated(
    x, kernel, strides, padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def outputs_and_gradients(convolution, strides, padding):
  """Returns a compiled function of (image, kernel)."""

  def loss(x, kernel):
    y = convolution(x, kernel, strides, padding)
    return jnp.sum(jnp.sin(y)), y

  return jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))


# Strides that leave pixels over, padding that differs between sides, a kernel
# of one pixel with and without padding.
CASES = [
  ((6, 7), (3, 3), (1, 1), ((1, 1), (1, 1))),
  ((6, 7), (3, 3), (2, 2), ((1, 1), (1, 1))),
  ((8, 8), (3, 3), (2, 2), ((0, 1), (0, 1))),
  ((9, 5), (3, 2), (3, 2), ((0, 0), (0, 1))),
  ((7, 6), (1, 1), (2, 2), ((0, 0), (0, 0))),
  ((5, 5), (1, 1), (1, 1), ((1, 1), (1, 1))),
]


@pytest.mark.parametrize(('size', 'sides', 'strides', 'padding'), CASES)
def test_equals_xla_and_its_gradients(size, sides, strides, padding):
  x = random_normal(8, *size, 3)
  kernel = random_normal(*sides, 3, 4, seed=1)
  ours, theirs = (
    outputs_and_gradients(each, strides, padding)(x, kernel)
    for each in (convolve, plain)
  )
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4),
    ours,
    theirs,
  )


def test_gradients_of_a_batch_on_several_devices_equal_those_of_one():
  x, kernel = random_normal(8, 6, 6, 3), random_normal(3, 3, 3, 4, seed=1)
  run = outputs_and_gradients(convolve, (1, 1), ((1, 1), (1, 1)))
  spread = jax.device_put(x, parallel.make_placement().by_batch)
  assert len(spread.sharding.device_set) > 1
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4),
    run(x, kernel),
    run(spread, kernel),
  )


@pytest.mark.parametrize('padding', [None, 'SAME', 0])
def test_a_layer_pads_as_it_says(padding):
  layer = conv(3, 4, 3, 2, padding=padding, dtype=jnp.float32, rngs=nnx.Rngs(0))
  x = random_normal(2, 8, 8, 3)
  pads = {None: ((1, 1), (1, 1)), 'SAME': 'SAME', 0: 'VALID'}[padding]
  expected = plain(x, layer.kernel[...], (2, 2), pads)
  np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)
