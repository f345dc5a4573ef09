"""Weights for three channels in a network whose front end has more."""

import numpy as np
import pytest
from flax import nnx

from helpers.loaded_networks import make, source
from input_pipeline.errors import UserError
from owdfa_jax.weights.match import can_widen, fill_network, widen

CONV1 = 'backbone.conv1.weight'


def test_first_kernel_is_repeated_for_each_map_of_the_front_end():
  _, params, stats = make(channels=6)
  params, _, report = fill_network(source(), params, stats, 'here')
  kernel = np.asarray(params['backbone']['conv1']['kernel'][...])
  rgb = source()[CONV1].transpose(2, 3, 1, 0)
  np.testing.assert_allclose(kernel[:, :, :3], rgb / 2, rtol=1e-6)
  np.testing.assert_array_equal(kernel[:, :, :3], kernel[:, :, 3:])
  assert report.widened == (CONV1,)
  assert set(report.loaded) == set(source())
  assert f'repeated for further channels: {CONV1}' in str(report)


def test_maps_that_are_alike_give_the_features_of_one():
  graphdef, *trees = make(channels=9)
  wide, narrow = (
    nnx.merge(graph, *fill_network(source(), *state, 'here')[:2])
    for graph, *state in ((graphdef, *trees), make())
  )
  images = np.random.default_rng(0).normal(size=(2, 16, 16, 3))
  images = images.astype(np.float32)
  np.testing.assert_allclose(
    wide.backbone.stem(np.tile(images, (1, 1, 1, 3)), train=False),
    narrow.backbone.stem(images, train=False),
    rtol=1e-4,
    atol=1e-4,
  )


def test_three_channels_and_other_networks_are_loaded_as_they_are():
  _, params, stats = make()
  *_, report = fill_network(source(), params, stats, 'here')
  assert report.widened == ()
  assert not can_widen((8, 3, 7, 7), (8, 3, 7, 7))
  assert not can_widen((8, 3, 7, 7), (16, 6, 7, 7))
  assert not can_widen((8, 3, 7, 7), (8, 7, 7, 7))
  assert not can_widen((8, 3), (8, 6))
  assert can_widen((8, 3, 7, 7), (8, 6, 7, 7))
  assert widen(np.ones((8, 3, 7, 7)), (8, 6, 7, 7)).sum() == 8 * 3 * 49


def test_fewer_channels_are_refused_with_the_setting_that_has_them():
  wide = dict(source())
  wide[CONV1] = np.tile(wide[CONV1], (1, 2, 1, 1))
  _, params, stats = make()
  with pytest.raises(UserError, match='another shape.*model.front_end'):
    fill_network(wide, params, stats, 'here')
