"""Rows of a group are averaged; groups keep the order of their first rows."""

import numpy as np

from owdfa_jax.spectrum.group_means import group_means


def test_groups_keep_their_order():
  rows = np.array([[1, 0], [3, 0], [7, 1], [5, 2]], np.float32)
  mean, first = group_means(rows, np.array([9, 4, 9, 4]))
  np.testing.assert_array_equal(mean, [[4, 0.5], [4, 1]])
  np.testing.assert_array_equal(first, [0, 1])


def test_single_values_are_averaged_in_their_dtype():
  values = np.array([2.0, 1 / 3, 2 / 3])
  mean, _ = group_means(values, np.array([5, 0, 0]))
  assert mean.dtype == np.float64
  np.testing.assert_array_equal(mean, [2, 0.5])
