"""Transpositions that walk along one axis."""

import jax
import numpy as np
import pytest

from helpers.arrays import random_normal
from owdfa_jax.models.transposes import transpose_slices


@pytest.mark.parametrize(
  ('axes', 'along'), [((3, 1, 2, 0), 1), ((0, 3, 2, 1), 2), ((1, 0, 2, 3), 3)]
)
def test_equals_numpy_and_its_gradient(axes, along):
  x = random_normal(2, 3, 4, 5)
  expected = x.transpose(axes)
  transpose = jax.jit(lambda x: transpose_slices(x, axes, along))
  np.testing.assert_array_equal(transpose(x), expected)
  weights = random_normal(*expected.shape, seed=1)
  gradient = jax.jit(jax.grad(lambda x: (transpose(x) * weights).sum()))(x)
  np.testing.assert_array_equal(
    gradient, weights.transpose(np.argsort(np.asarray(axes)))
  )
