"""Grids of parts and wavelet bands against recorded and computed numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from owdfa_jax.models import perspectives
from owdfa_jax.models.batch_norm import BatchNorm
from owdfa_jax.models.pixel_matrices import multiply_pixels

average_pool = jax.jit(perspectives.average_pool, static_argnums=1)
haar_bands = jax.jit(perspectives.haar_bands)
# Updates the statistics of a batch norm in training.
run = nnx.jit(
  lambda norm, x, train: norm(x, train=train), static_argnames='train'
)


@functools.partial(jax.jit, static_argnums=1)
def normalised_cells(feature_map, grid):
  (cells,) = perspectives.LocalViews.of(feature_map, (grid,)).parts()
  return cells


def sizes(file):
  """Returns the prefixes of the file, one for each size of the feature map."""
  return sorted({key.split('_')[0] for key in file if key[0] == 'h'})


def channels_last(x):
  return jnp.asarray(x).transpose(0, 2, 3, 1)


def part_keys(file):
  """Yields (prefix of the keys, grid) for every batch-normalised grid."""
  suffix = '_bn_weight'
  for key in file:
    if key.endswith(suffix):
      prefix = key.removesuffix(suffix)
      yield prefix, round(np.sqrt(file[key].shape[1]))


@pytest.mark.golden
def test_pooling_windows(golden):
  file = golden('mpsl_features')
  for size in sizes(file):
    for grid in range(1, int(size[1:]) + 1):
      expected = file.get(f'{size}_pool{grid}_kernel_stride')
      if expected is not None:
        window = perspectives.pooling_window(int(size[1:]), grid)
        assert window == tuple(expected)


@pytest.mark.parametrize(('size', 'grid'), [(16, 8), (13, 5), (8, 8)])
def test_pooling_by_matrices_is_pooling(size, grid):
  x = np.random.default_rng(0).normal(size=(2, size, size, 3))
  matrix = perspectives.pooling_matrix(size, grid)
  cells = multiply_pixels(matrix, matrix, jnp.asarray(x, jnp.float32))
  np.testing.assert_allclose(
    cells.reshape(2, -1, 3),
    average_pool(jnp.asarray(x, jnp.float32), grid),
    rtol=1e-5,
    atol=1e-6,
  )


@pytest.mark.golden
def test_pooling(golden):
  file = golden('mpsl_features')
  compared = 0
  for size in sizes(file):
    feature_map = channels_last(file[f'{size}_featuremap'])
    for grid in range(1, 8):
      expected = file.get(f'{size}_pool{grid}_out')
      if expected is not None:
        cells = average_pool(feature_map[: len(expected)], grid)
        expected = expected.reshape(*expected.shape[:2], -1)
        np.testing.assert_allclose(
          cells, expected.transpose(0, 2, 1), rtol=1e-5, atol=1e-6
        )
        compared += 1
  assert compared


@pytest.mark.golden
def test_cells_are_normalised_over_the_batch(golden):
  file = golden('mpsl_features')
  for prefix, grid in part_keys(file):
    size = prefix.split('_')[0]
    name = prefix.split('_')[-1]
    method = prefix.removesuffix(f'_{name}')
    feature_map = channels_last(file[f'{size}_featuremap'])
    cells = average_pool(feature_map, grid)
    np.testing.assert_allclose(
      cells, file[f'{prefix}_pooled'].transpose(0, 2, 1), rtol=1e-5, atol=1e-6
    )
    scale = file[f'{prefix}_bn_weight'].T
    np.testing.assert_allclose(
      normalised_cells(feature_map, grid) * scale,
      file[f'{method}_train_{name}'].transpose(0, 2, 1),
      rtol=1e-5,
      atol=1e-5,
    )


@pytest.mark.golden
def test_running_statistics_of_cells(golden):
  # The network keeps no statistics of cells; this tests the layer's arithmetic.
  file = golden('mpsl_features')
  for prefix, _ in part_keys(file):
    name = prefix.split('_')[-1]
    method = prefix.removesuffix(f'_{name}')
    cells = file[f'{prefix}_pooled'].reshape(len(file[f'{prefix}_pooled']), -1)
    norm = BatchNorm(cells.shape[1], use_bias=False)
    norm.scale[...] = jnp.asarray(file[f'{prefix}_bn_weight'].ravel())
    run(norm, cells, train=True)
    for ours, theirs in ((norm.mean, 'mean'), (norm.var, 'var')):
      np.testing.assert_allclose(
        ours[...],
        file[f'{prefix}_running_{theirs}'].ravel(),
        rtol=1e-5,
        atol=1e-6,
      )
    np.testing.assert_allclose(
      run(norm, cells, train=False),
      file[f'{method}_eval_{name}'].reshape(cells.shape),
      rtol=1e-5,
      atol=1e-5,
    )


@pytest.mark.golden
def test_haar_bands(golden):
  file = golden('mpsl_features')
  for size in sizes(file):
    bands = haar_bands(channels_last(file[f'{size}_featuremap']))
    expected = file[f'{size}_dwt_bands']
    for i, band in enumerate(bands):
      rows = expected[:, :, i].reshape(*expected.shape[:2], -1)
      np.testing.assert_allclose(
        band, rows.transpose(0, 2, 1), rtol=1e-5, atol=1e-6
      )
      np.testing.assert_allclose(
        band,
        file[f'{size}_mpsl_freq{i + 1}'].transpose(0, 2, 1),
        rtol=1e-5,
        atol=1e-6,
      )


def test_windows_overlap_if_the_grid_does_not_divide_the_size():
  # Rows 0..3 to two cells of rows {0, 1}, {2, 3}; 5 columns: {0..2}, {2..4}.
  feature_map = jnp.arange(20.0).reshape(1, 4, 5, 1)
  cells = average_pool(feature_map, 2)
  np.testing.assert_allclose(cells[0, :, 0], [3.5, 5.5, 13.5, 15.5])


def test_haar_bands_of_an_odd_map_by_hand():
  feature_map = jnp.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])[None, ..., None]
  low_high, high_low, high_high = haar_bands(feature_map)
  np.testing.assert_allclose(low_high[0, :, 0], [-3, -1.5, 7.5, 4.5])
  np.testing.assert_allclose(high_low[0, :, 0], [-1, 4.5, -0.5, 4.5])
  np.testing.assert_allclose(high_high[0, :, 0], [0, -1.5, -0.5, 4.5])


def test_haar_bands_of_a_bfloat16_map_are_float32_and_exact():
  precise = jax.random.normal(jax.random.key(0), (2, 5, 4, 3))
  feature_map = precise.astype(jnp.bfloat16)
  expected = haar_bands(feature_map.astype(jnp.float32))
  for band, same in zip(haar_bands(feature_map), expected, strict=True):
    assert band.dtype == jnp.float32
    np.testing.assert_array_equal(band, same)


def test_constant_cells_become_zero():
  feature_map = jnp.full((4, 4, 4, 3), 7.0)
  np.testing.assert_array_equal(normalised_cells(feature_map, 2), 0)
