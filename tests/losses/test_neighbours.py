"""Neighbours on several devices, and by their definition in NumPy."""

import functools

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import numpy as np
import pytest

from owdfa_jax import parallel
from owdfa_jax.losses import neighbours, similarity

# Columns a power of 4: a row of -1 and 1 has a length that is a power of 2, so
# that similarities are exact, and equal ones are equal in any order of sums.
ROWS, COLUMNS = 16, 4
VIEWS = 2
SIGNS = hnp.arrays(
  np.float32,
  (VIEWS, ROWS, COLUMNS),
  elements=st.sampled_from([-1.0, 1.0]),
)
# Rows of zeros: what an image without content, or padding, gives.
EMPTY = hnp.arrays(bool, (VIEWS, ROWS, 1))


def expected(view, within):
  """Returns nearest, row_second and column_second, row by row."""
  left, right = (
    np.asarray(x, np.float64).reshape(len(x), -1)
    for x in (view.left, view.right)
  )
  size = within or len(left)
  nearest, row_second, column_second = [], [], []
  for i in range(len(left)):
    group = range(i - i % size, i - i % size + size)
    row = {j: left[i] @ right[j] for j in group}
    column = {j: left[j] @ right[i] for j in group}
    # The first of equal ones.
    nearest.append(max((j for j in group if j != i), key=row.__getitem__))
    row_second.append(sorted(row.values())[-2])
    column_second.append(sorted(column.values())[-2])
  return nearest, row_second, column_second


@functools.cache
def finder(devices, within):
  """Returns the compiled search on some devices, from values on the host."""
  placement = parallel.make_placement(jax.devices()[:devices])

  @jax.jit
  def find(values):
    views = [similarity.cosine_factors(values[0])]
    views.append(similarity.part_factors(values[1][:, :, None]))
    found = neighbours.find_neighbours(
      views, mesh=placement.mesh, within=within
    )
    return views, found

  def run(values):
    rows = [jax.device_put(x, placement.by_batch) for x in values]
    return jax.device_get(find(rows))

  return run


@pytest.mark.parametrize(
  ('devices', 'within'),
  [(1, 0), (1, 4), (2, 0), (3, 0), (4, 0), (5, 0), (6, 6), (8, 0), (8, 8)],
)
@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(SIGNS, EMPTY)
def test_neighbours_are_those_of_the_definition(devices, within, signs, empty):
  # As many rows as the devices can share.
  rows = ROWS - ROWS % devices
  views, found = finder(devices, within)((signs * ~empty)[:, :rows])
  for view, result in zip(views, found, strict=True):
    for value, by_hand in zip(result, expected(view, within), strict=True):
      np.testing.assert_array_equal(value, by_hand)


@pytest.mark.parametrize('within', [2, 4])
def test_groups_are_the_same_on_any_number_of_devices(within):
  signs = np.random.default_rng(0).choice([-1.0, 1.0], (VIEWS, ROWS, COLUMNS))
  signs = signs.astype(np.float32)
  _, alone = finder(1, within)(signs)
  # On eight devices, two rows each, a group is one or two devices.
  _, spread = finder(8, within)(signs)
  jax.tree.map(np.testing.assert_array_equal, spread, alone)
