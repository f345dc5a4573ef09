"""The training images that set the threshold, and their cross-fitted scores."""

import numpy as np
import pytest

from input_pipeline import progress_bars
from owdfa_jax.evaluation import threshold_rows, unseen

pytestmark = pytest.mark.usefixtures('quick_compile')


def test_unlabelled_rows_set_the_threshold_where_there_are_enough():
  has_label = np.arange(60) % 3 == 0
  rows, what = threshold_rows.threshold_rows(has_label, np.arange(60))
  np.testing.assert_array_equal(rows, ~has_label)
  assert what == 'unlabelled training images'


@pytest.mark.parametrize('per_group', [1, 5])
def test_too_few_unlabelled_groups_are_joined_by_all_others(per_group):
  """Many rows of few groups do not count as many."""
  has_label = np.arange(30) >= 19
  rows, what = threshold_rows.threshold_rows(
    np.repeat(has_label, per_group), np.repeat(np.arange(30), per_group)
  )
  assert rows.all() and what == 'training images'


def test_folds_keep_groups_whole_and_are_of_even_size():
  group = np.random.default_rng(0).integers(0, 100, 1000)
  fold = threshold_rows.draw_folds(group)
  pairs = set(zip(group, fold, strict=True))
  assert len(pairs) == len(set(group)) == 100
  assert np.unique(fold).tolist() == list(range(threshold_rows.NUM_FOLDS))
  assert set(np.bincount([f for _, f in pairs])) == {10}
  np.testing.assert_array_equal(fold, threshold_rows.draw_folds(group))


def test_drawn_rows_are_whole_groups():
  group = np.repeat(np.arange(50), 7)
  rows = threshold_rows.draw_rows(group, 100)
  assert len(rows) == 98
  np.testing.assert_array_equal(
    np.unique(group[rows], return_counts=True)[1], 7
  )
  np.testing.assert_array_equal(
    threshold_rows.draw_rows(group, 10_000), np.arange(350)
  )
  # One group is drawn even if it is too large.
  assert len(threshold_rows.draw_rows(group, 3)) == 7


def draw(count, seed):
  """Returns rows of four sources in 30 dimensions, and the source of each."""
  generator = np.random.default_rng(seed)
  source = np.arange(count) % 4
  centre = 3 * np.eye(4, 30)
  feature = centre[source] + generator.normal(size=(count, 30))
  return feature.astype(np.float32), source.astype(np.int32)


def test_cross_fitted_threshold_keeps_new_images_of_the_sources():
  """Scores of the rows that were fitted themselves would be far too low."""
  feature, source = draw(240, 0)
  new, _ = draw(4000, 1)
  densities = unseen.fit_densities(feature, source, num_sources=4)
  fold = threshold_rows.draw_folds(np.arange(240))
  score = unseen.cross_fitted_scores(
    feature, source, fold, feature, fold, 4, threshold_rows.NUM_FOLDS
  )
  above = {
    name: np.mean(
      np.asarray(unseen.unseen_score(densities, new))
      > unseen.threshold(np.asarray(scores), 0.1)
    )
    for name, scores in (
      ('cross-fitted', score),
      ('fitted', unseen.unseen_score(densities, feature)),
    )
  }
  assert above['fitted'] > 0.3
  assert 0.05 < above['cross-fitted'] < 0.15


def test_cross_fitting_shows_its_progress(monkeypatch, capsys):
  monkeypatch.setattr(progress_bars, 'SECONDS_BETWEEN_LINES', 0)
  feature, source = draw(40, 0)
  fold = (np.arange(40) % 2).astype(np.int32)
  unseen.cross_fitted_scores(feature, source, fold, feature, fold, 4, 2)
  lines = capsys.readouterr().err.splitlines()
  assert lines[-1].startswith('unseen scores: 2 of 2 folds')


def test_a_row_is_scored_by_the_other_folds_alone():
  feature, source = draw(81, 2)
  fold = (np.arange(81) % 3).astype(np.int32)
  score = unseen.cross_fitted_scores(
    feature, source, fold, feature[:4], fold[:4], 4, 3
  )
  for row in range(4):
    others = fold != fold[row]
    densities = unseen.fit_densities(feature[others], source[others], 4)
    expected = unseen.unseen_score(densities, feature[row : row + 1])
    np.testing.assert_allclose(score[row], expected[0], rtol=2e-3, atol=2e-3)
