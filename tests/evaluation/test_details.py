"""Macro scores, the reliability diagram, and novel images told from known."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from owdfa_jax import report_fields
from owdfa_jax.evaluation import details, metrics
from owdfa_jax.evaluation.weighted_figures import MeasuredRows


def made_up(num_rows=80):
  draws = np.random.default_rng(2)
  label = draws.integers(0, 4, num_rows)
  predicted = np.where(draws.random(num_rows) < 0.6, 3 - label, 1)
  return MeasuredRows(
    unit=np.arange(num_rows),
    true_label=label,
    predicted=predicted,
    confidence=draws.random(num_rows).astype(np.float32),
    novel_probability=draws.random(num_rows),
  )


def test_details_agree_with_scikit_learn():
  rows = made_up()
  found = details.details(rows, 2)
  assert found.keys() == {*report_fields.DETAILS}
  matched = metrics.best_matching(rows.true_label, rows.predicted)
  report = sklearn_metrics.classification_report(
    rows.true_label,
    matched[rows.predicted],
    output_dict=True,
    zero_division=0,
  )
  assert found['macro_precision'] == report['macro avg']['precision']
  assert found['macro_f1'] == report['macro avg']['f1-score']
  assert found['known_novel_auroc'] == pytest.approx(
    sklearn_metrics.roc_auc_score(rows.true_label >= 2, rows.novel_probability)
  )


def test_macro_scores_by_hand():
  """No row is called by the name of class 2."""
  label, named = np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])
  found = details.macro_scores(label, named)
  assert found['macro_precision'] == pytest.approx((1 + 1 / 2 + 0) / 3)
  assert found['macro_f1'] == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_reliability_bins_by_hand():
  confidence = np.array([0.0, 0.05, 0.98, 1.0, 1.0])
  correct = np.array([False, True, True, True, False])
  first, last = details.reliability_bins(confidence, correct)
  assert first == {
    'above': 0,
    'up_to': pytest.approx(1 / 15),
    'count': 2,
    'confidence': pytest.approx(0.025),
    'accuracy': 0.5,
  }
  assert last['count'] == 3 and last['up_to'] == 1
  assert last['accuracy'] == pytest.approx(2 / 3)


def test_reliability_bins_give_the_calibration_error():
  rows = made_up()
  matched = metrics.best_matching(rows.true_label, rows.predicted)
  correct = matched[rows.predicted] == rows.true_label
  bins = details.reliability_bins(rows.confidence, correct)
  gaps = [x['count'] * abs(x['accuracy'] - x['confidence']) for x in bins]
  assert sum(gaps) / len(correct) == pytest.approx(
    metrics.expected_calibration_error(rows.confidence, correct)
  )


def test_a_missing_truth_leaves_the_interval_of_known_acc():
  rows = made_up()
  rows.true_label[0] = -1
  found = details.details(rows, 2)
  assert found.pop('intervals')['figures'].keys() == {'known_acc'}
  assert set(found.values()) == {None}


def test_no_rows_have_no_details():
  found = details.details(made_up(0), 2)
  assert set(found.values()) == {None}
