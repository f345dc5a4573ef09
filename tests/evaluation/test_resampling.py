"""Bootstrap intervals: their width, their units, and what has none."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from owdfa_jax.evaluation.resampling import bootstrap_intervals, draw_weights
from owdfa_jax.evaluation.weighted_figures import MeasuredRows


def rows_of(label, predicted, unit=None):
  label = np.asarray(label)
  return MeasuredRows(
    unit=np.arange(len(label)) if unit is None else unit,
    true_label=label,
    predicted=np.asarray(predicted),
    confidence=np.full(len(label), 0.5),
  )


def test_interval_of_an_accuracy_is_that_of_a_share():
  """Of 400 images of one class, 300 are right."""
  rows = rows_of(np.zeros(400, int), np.repeat([0, 1], [300, 100]))
  found = bootstrap_intervals(rows, 1)
  low, high = found['figures']['known_acc']
  expected = stats.binom.ppf([0.025, 0.975], 400, 0.75) / 400
  assert (low, high) == pytest.approx(tuple(expected), abs=0.006)
  assert found['level'] == 0.95 and found['num_units'] == 400


def test_groups_of_equal_images_make_the_interval_wider():
  label = np.zeros(400, int)
  predicted = np.repeat([0, 1], [300, 100])
  single = bootstrap_intervals(rows_of(label, predicted), 1)
  grouped = bootstrap_intervals(
    rows_of(label, predicted, unit=np.arange(400) // 25), 1
  )
  assert grouped['num_units'] == 16
  width = [
    high - low
    for found in (single, grouped)
    for low, high in [found['figures']['known_acc']]
  ]
  # Sixteen independent groups: five times as wide as 400 images.
  assert width[1] == pytest.approx(5 * width[0], rel=0.25)


def test_the_same_rows_have_the_same_intervals():
  draws = np.random.default_rng(0)
  label, predicted = draws.integers(0, 4, (2, 100))
  rows = rows_of(label, predicted, unit=draws.integers(500, 600, 100))
  assert bootstrap_intervals(rows, 2) == bootstrap_intervals(rows, 2)


def test_a_figure_lies_in_its_interval():
  draws = np.random.default_rng(1)
  label = draws.integers(0, 4, 200)
  predicted = np.where(draws.random(200) < 0.7, label, 0)
  found = bootstrap_intervals(rows_of(label, predicted), 2)
  low, high = found['figures']['all_acc']
  assert low < np.mean(predicted == label) < high


def test_repeated_images_do_not_move_the_intervals_of_clusterings():
  """Of few images in many clusters, each draw has a higher NMI and ARI."""
  draws = np.random.default_rng(3)
  label, predicted = draws.integers(0, 12, (2, 60))
  rows = rows_of(label, predicted)
  found = bootstrap_intervals(rows, 6)['figures']
  nmi = metrics.normalized_mutual_info_score(label, predicted)
  ari = metrics.adjusted_rand_score(label, predicted)
  for name, value in (('all_nmi', nmi), ('all_ari', ari)):
    low, high = found[name]
    assert low < value < high
    assert value - low == pytest.approx(high - value, rel=0.5)


def test_one_image_has_no_interval():
  assert bootstrap_intervals(rows_of([0], [0]), 1) is None


def test_draws_have_as_many_units_as_there_are():
  weight = draw_weights(np.random.default_rng(0), 50, 8)
  np.testing.assert_array_equal(weight.sum(1), 50)
  assert len(np.unique(weight, axis=0)) == 8


def test_draws_in_parts_are_the_same_draws():
  one = draw_weights(np.random.default_rng(0), 9, 6)
  generator = np.random.default_rng(0)
  parts = [draw_weights(generator, 9, 2) for _ in range(3)]
  np.testing.assert_array_equal(np.concatenate(parts), one)
