"""The map of features: its points, and what stays the same."""

import numpy as np

from owdfa_jax.page import feature_map
from owdfa_jax.page.feature_map import choose_map_rows, place_features


def test_whole_groups_are_chosen(monkeypatch):
  monkeypatch.setattr(feature_map, 'MOST_POINTS', 4)
  group = np.array([0, 1, 0, 2, 3, 4, 4, 5, 1, 6])
  rows = choose_map_rows(group)
  chosen = {*group[rows]}
  assert len(chosen) == 4
  np.testing.assert_array_equal(rows, np.flatnonzero(np.isin(group, [*chosen])))
  np.testing.assert_array_equal(rows, choose_map_rows(group))


def test_a_group_that_is_too_large_is_taken_whole(monkeypatch):
  monkeypatch.setattr(feature_map, '_MOST_ROWS', 5)
  assert len(choose_map_rows(np.zeros(9, int))) == 9


def test_groups_of_features_are_apart_on_the_map():
  draws = np.random.default_rng(0)
  label = np.repeat([0, 1], 30)
  feature = draws.normal(size=(60, 8)) + 20 * label[:, None]
  found = place_features(feature, np.arange(60) + 100, np.arange(60))
  np.testing.assert_array_equal(found.row, np.arange(60) + 100)
  centre = [found.place[label == k].mean(0) for k in (0, 1)]
  nearest = [
    np.argmin([np.linalg.norm(place - c) for c in centre])
    for place in found.place
  ]
  np.testing.assert_array_equal(nearest, label)
  assert 't-SNE' in found.method


def test_a_group_is_one_point():
  feature = np.random.default_rng(0).normal(size=(9, 5))
  found = place_features(
    feature, np.arange(9), np.array([0, 0, 1, 2, 2, 2, 3, 4, 4])
  )
  np.testing.assert_array_equal(found.row, [0, 2, 3, 6, 7])
  assert found.place.shape == (5, 2) and 'principal' in found.method


def test_one_image_has_a_place():
  found = place_features(np.ones((1, 5)), np.arange(1), np.arange(1))
  assert found.place.shape == (1, 2) and np.isfinite(found.place).all()
