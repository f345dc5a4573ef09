"""Figures of weighted rows, against those of rows that are repeated."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from owdfa_jax.evaluation import metrics
from owdfa_jax.evaluation.weighted_figures import (
  MeasuredRows,
  WeightedFigures,
)

NUM_KNOWN = 2


def made_up(seed, rows=60, units=20):
  draws = np.random.default_rng(seed)
  label = draws.integers(0, 5, rows)
  right = draws.random(rows) < 0.6
  predicted = np.where(right, (label + 2) % 5, draws.integers(0, 6, rows))
  predicted[label < NUM_KNOWN] = label[label < NUM_KNOWN]
  predicted[::7] = 1
  score = draws.random(rows).round(1)
  return MeasuredRows(
    unit=draws.integers(0, units, rows),
    true_label=label,
    predicted=predicted,
    confidence=draws.random(rows).astype(np.float32),
    novel_probability=score,
    is_fake=label > 0,
    fake_probability=score,
  )


def repeated(rows, weight):
  """Returns the columns of rows, each as often as its unit's weight says."""
  times = weight[rows.unit]
  return {
    name: np.repeat(column, times)
    for name, column in vars(rows).items()
    if name != 'unit'
  }


def test_equal_weights_give_the_figures_of_the_report():
  rows = made_up(0)
  found = WeightedFigures(rows, NUM_KNOWN, 20).of(np.ones((1, 20)))
  expected = metrics.open_world_metrics(
    rows.true_label,
    rows.predicted,
    rows.confidence,
    NUM_KNOWN,
    is_fake=rows.is_fake,
    fake_probability=rows.fake_probability,
  )
  assert found.keys() == {
    *('known_acc', 'novel_acc', 'novel_nmi', 'novel_ari', 'new_acc'),
    *('all_acc', 'all_nmi', 'all_ari', 'macro_acc'),
    *('expected_calibration_error', 'real_fake_auc', 'known_novel_auroc'),
  }
  for name, value in found.items():
    if name != 'known_novel_auroc':
      assert value == pytest.approx(expected[name], abs=1e-12), name


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(st.integers(0, 1000))
def test_weights_are_repetitions_of_rows(seed):
  rows = made_up(seed)
  weight = np.random.default_rng(seed + 1).integers(0, 4, (3, 20))
  found = WeightedFigures(rows, NUM_KNOWN, 20).of(weight.astype(float))
  matched = metrics.best_matching(rows.true_label, rows.predicted)
  novel = rows.true_label >= NUM_KNOWN
  matched_novel = metrics.best_matching(
    rows.true_label[novel], rows.predicted[novel]
  )
  for draw, of_units in enumerate(weight):
    drawn = repeated(rows, of_units)
    label, output = drawn['true_label'], drawn['predicted']
    correct, novel = matched[output] == label, label >= NUM_KNOWN
    expected = {
      'all_acc': correct.mean(),
      'new_acc': correct[novel].mean(),
      'novel_acc': (matched_novel[output] == label)[novel].mean(),
      'known_acc': (output == label)[~novel].mean(),
      'macro_acc': sklearn_metrics.recall_score(
        label, matched[output], labels=np.unique(label), average='macro'
      ),
      'all_nmi': sklearn_metrics.normalized_mutual_info_score(label, output),
      'all_ari': sklearn_metrics.adjusted_rand_score(label, output),
      'expected_calibration_error': metrics.expected_calibration_error(
        drawn['confidence'], correct
      ),
      'known_novel_auroc': sklearn_metrics.roc_auc_score(
        novel, drawn['novel_probability']
      ),
    }
    for name, value in expected.items():
      assert found[name][draw] == pytest.approx(value, abs=1e-9), name


def test_one_missing_truth_leaves_known_acc():
  rows = made_up(0)
  rows.true_label[0] = -1
  found = WeightedFigures(rows, NUM_KNOWN, 20).of(np.ones((1, 20)))
  assert found.keys() == {'known_acc'}


def test_weights_without_rows_of_a_figure_give_nan():
  rows = MeasuredRows(
    unit=np.arange(4),
    true_label=np.array([0, 0, 2, 2]),
    predicted=np.array([0, 1, 2, 2]),
    confidence=np.full(4, 0.5),
  )
  weight = np.array([[1.0, 1, 0, 0], [1, 1, 1, 1]])
  found = WeightedFigures(rows, NUM_KNOWN, 4).of(weight)
  np.testing.assert_array_equal(found['new_acc'], [np.nan, 1])
  np.testing.assert_array_equal(found['all_acc'], [0.5, 0.75])


@pytest.mark.parametrize(
  'score, expected',
  [((0.1, 0.5, 0.5, 0.9), 0.875), ((0.1, 0.5, 0.4, 0.9), 0.75)],
)
def test_auroc_counts_equal_scores_as_half(score, expected):
  rows = MeasuredRows(
    unit=np.arange(4),
    true_label=np.array([0, 0, 2, 2]),
    predicted=np.array([0, 0, 2, 2]),
    confidence=np.full(4, 0.5),
    novel_probability=np.array(score),
  )
  weight = np.array([[1.0, 1, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]])
  found = WeightedFigures(rows, NUM_KNOWN, 4).of(weight)['known_novel_auroc']
  second = 0.5 if score[1] == score[2] else 0
  np.testing.assert_array_equal(found, [expected, second, np.nan])
