"""Vectors of length 1, and their gradients at zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax import vectors

X = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize('axis', [-1, 0, (1, 2)])
def test_length_is_numpys_and_unit_divides_by_it(axis):
  length = vectors.length(jnp.asarray(X), axis)
  expected = np.sqrt(np.sum(X**2, axis=axis, keepdims=True))
  np.testing.assert_allclose(length, expected, rtol=1e-6)
  np.testing.assert_allclose(
    vectors.unit(jnp.asarray(X), axis), X / expected, rtol=1e-5
  )


def test_zero_stays_zero_and_its_gradient_is_finite():
  zero = jnp.zeros(3)
  np.testing.assert_array_equal(vectors.unit(zero), 0)
  np.testing.assert_array_equal(
    jax.grad(lambda x: vectors.length(x).sum())(zero), 0
  )
  assert np.isfinite(jax.grad(lambda x: vectors.unit(x).sum())(zero)).all()
