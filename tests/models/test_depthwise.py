"""Depthwise convolutions: XLA's own, and the sums that processors compute."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax import parallel
from owdfa_jax.models.depthwise import (
  depthwise_convolution,
  grouped_convolution,
)


def draw(shape, seed):
  return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def outputs_and_gradients(convolution, stride):
  """Returns a compiled function of (image, kernel)."""

  def loss(x, kernel):
    y = convolution(x, kernel, stride)
    return jnp.sum(jnp.sin(y.astype(jnp.float32))), y

  return jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))


# Odd and even sizes: 'SAME' pads each side differently, or not at all.
@pytest.mark.parametrize(
  ('height', 'width', 'size', 'stride'),
  [(6, 7, 3, 1), (5, 4, 3, 2), (1, 2, 5, 2)],
)
def test_equals_the_grouped_convolution(height, width, size, stride):
  x, kernel = draw((8, height, width, 4), 0), draw((size, size, 1, 4), 1)
  ours, theirs = (
    outputs_and_gradients(each, stride)(x, kernel)
    for each in (depthwise_convolution, grouped_convolution)
  )
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5),
    ours,
    theirs,
  )


def test_bfloat16_is_summed_in_float32():
  x, kernel = draw((2, 6, 6, 4), 0), draw((3, 3, 1, 4), 1)
  low = [jnp.asarray(each, jnp.bfloat16) for each in (x, kernel)]
  (_, y), gradients = outputs_and_gradients(depthwise_convolution, 1)(*low)
  assert {each.dtype for each in (y, *gradients)} == {jnp.dtype('bfloat16')}
  exact = depthwise_convolution(*(each.astype(jnp.float32) for each in low), 1)
  # One rounding, that of the result.
  np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-8)


def test_rows_of_the_batch_stay_on_their_devices():
  placement = parallel.make_placement()
  x = jax.ShapeDtypeStruct(
    (8, 6, 6, 4), jnp.float32, sharding=placement.by_batch
  )
  kernel = jax.ShapeDtypeStruct(
    (3, 3, 1, 4), jnp.float32, sharding=placement.replicated
  )
  run = outputs_and_gradients(depthwise_convolution, 2)
  program = run.lower(x, kernel).compile().as_text()
  assert 'all-reduce' in program  # of the kernels' gradient
  for moved in ('all-gather', 'collective-permute', 'all-to-all'):
    assert moved not in program
