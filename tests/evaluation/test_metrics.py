"""Metrics against recorded numbers, cases by hand, and invariants."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn.metrics

from owdfa_jax import report_fields
from owdfa_jax.evaluation import metrics


def compute(true_label, predicted, num_known, confidence=None, **extra):
  if confidence is None:
    confidence = np.full(len(true_label), 0.5)
  return metrics.open_world_metrics(
    np.asarray(true_label),
    np.asarray(predicted),
    np.asarray(confidence),
    num_known,
    **extra,
  )


@pytest.mark.golden
def test_recorded_cases_agree(golden):
  g = golden('metrics')
  for case in g['case_names']:
    label = g[f'{case}_label']
    num_known = int(g[f'{case}_num_known'])
    found = compute(label, g[f'{case}_pred'], num_known, g[f'{case}_conf'])
    found['val_uncert'] = found['mean_uncertainty']
    for name, recorded in zip(
      g['result_names'], g[f'{case}_result_f64'], strict=True
    ):
      if found[name] is None:
        # The released code reports 0 where no row is novel.
        assert name.startswith('novel') and (label < num_known).all()
        assert recorded == 0
      else:
        np.testing.assert_allclose(
          found[name], recorded, rtol=0, atol=1e-9, err_msg=f'{case} {name}'
        )


def test_novel_accuracy_may_reuse_outputs_of_known_classes():
  label = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
  predicted = [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]
  found = compute(label, predicted, 2)
  assert found['known_acc'] == 1
  assert found['novel_acc'] == 1
  # One matching of all rows gives each of the two outputs to one class only.
  assert found['all_acc'] == 0.5


def test_new_accuracy_by_hand():
  label = [0, 0, 0, 1, 1, 1, 1]
  predicted = [0, 0, 0, 0, 0, 2, 2]
  # Output 0 goes to class 0 (3 rows against 2), output 2 to class 1.
  found = compute(label, predicted, 1)
  assert found['new_acc'] == 0.5
  assert found['novel_acc'] == 0.5
  assert found['all_acc'] == pytest.approx(5 / 7)
  assert found['macro_acc'] == 0.75


def test_new_accuracy_is_stricter_than_novel_accuracy():
  label = np.array([0] * 10 + [1] * 4)
  predicted = np.array([0] * 10 + [0] * 4)
  found = compute(label, predicted, 1)
  assert (found['novel_acc'], found['new_acc']) == (1, 0)


def test_figures_that_need_every_truth_are_none_where_one_is_missing():
  label = np.array([0, 0, 1, 2, 2, 3])
  predicted = np.array([0, 1, 1, 3, 3, 2])
  confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
  extra = {
    'is_fake': np.array([True, False, False, True, True, True]),
    'fake_probability': confidence,
  }
  plain = compute(label, predicted, 2, confidence, **extra)
  assert None not in plain.values()
  label[-1] = -1
  found = compute(label, predicted, 2, confidence, **extra)
  for name in report_fields.NEED_EVERY_TRUTH:
    assert found[name] is None, name
  assert found['known_acc'] == pytest.approx(2 / 3)
  assert found['num_examples'] == 6 and found['num_without_truth'] == 1
  assert found['num_known_examples'] == 3
  assert found['mean_uncertainty'] == plain['mean_uncertainty']


def test_only_the_mean_over_known_images_does_not_need_every_truth():
  others = set(report_fields.METRICS) - set(report_fields.NEED_EVERY_TRUTH)
  assert others == {
    'known_acc',
    'mean_uncertainty',
    'num_examples',
    'num_known_examples',
    'num_without_truth',
  }
  assert set(report_fields.TABLE_COLUMNS) - {'known_acc'} <= set(
    report_fields.NEED_EVERY_TRUTH
  )


@pytest.mark.parametrize(
  'label, name, reason',
  [
    ([0, 2, -1], 'all_acc', '1 of 3 images have no true class'),
    ([0, 2, -1], 'new_acc', '1 of 3 images have no true class'),
    ([2, -1, -1], 'known_acc', 'no image has a known class'),
    ([0, 0, 1], 'new_acc', 'no image has a novel class'),
    ([2, 2, 3], 'known_nmi', 'no image has a known class'),
    ([0, 2, 3], 'real_fake_auc', 'not both real and forged images'),
    ([], 'all_acc', 'there are no images'),
  ],
)
def test_every_missing_figure_has_its_reason(label, name, reason):
  label = np.array(label, int)
  found = compute(label, np.zeros(len(label), int), 2)
  reasons = metrics.not_available(found)
  assert reason in reasons[name]
  assert reasons.keys() == {
    key for key, value in found.items() if value is None
  }


def test_without_any_truth_there_are_no_label_metrics():
  found = compute([-1, -1, -1], [0, 1, 1], 2, [0.5, 1.0, 0.75])
  assert found.pop('num_examples') == found.pop('num_without_truth') == 3
  assert found.pop('per_class') == []
  assert found.pop('mean_uncertainty') == pytest.approx(0.25)
  assert found.pop('num_known_examples') == 0
  assert set(found.values()) == {None}


def test_no_rows_give_no_metrics():
  empty = np.zeros(0, int)
  found = compute(empty, empty, 3)
  assert found.pop('num_examples') == found.pop('num_without_truth') == 0
  assert found.pop('num_known_examples') == 0
  assert found.pop('per_class') == []
  assert set(found.values()) == {None}


def test_only_novel_rows_give_no_metrics_of_known_classes():
  found = compute([3, 3, 4], [0, 0, 1], 3)
  assert found['known_acc'] is None and found['known_nmi'] is None
  assert found['novel_acc'] == found['all_acc'] == found['new_acc'] == 1


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
  st.lists(
    st.tuples(st.integers(-1, 5), st.integers(0, 7)), min_size=1, max_size=40
  ),
  st.randoms(use_true_random=False),
)
def test_metrics_are_fractions_and_ignore_the_names_of_outputs(rows, random):
  label, predicted = np.array(rows).T
  found = compute(label, predicted, 3)
  for name, value in found.items():
    if value is not None and not name.startswith(('num_', 'per_class')):
      assert (-1 if name.endswith('ari') else 0) <= value <= 1
  if found['new_acc'] is not None:
    assert found['new_acc'] <= found['novel_acc'] + 1e-12
  # Renaming the outputs changes plain accuracy only.
  names = list(range(8))
  random.shuffle(names)
  renamed = compute(label, np.array(names)[predicted], 3)
  for name in ('novel_acc', 'novel_nmi', 'all_acc', 'all_nmi', 'all_ari'):
    if found[name] is not None:
      assert renamed[name] == pytest.approx(found[name])


@hypothesis.given(
  st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1)
)
def test_nmi_and_ari_are_those_of_scikit_learn(rows):
  label, output = np.array(rows).T
  _, nmi, ari = metrics.clustering_metrics(label, output)
  expected = sklearn.metrics.normalized_mutual_info_score(label, output)
  assert nmi == pytest.approx(expected, abs=1e-12)
  expected = sklearn.metrics.adjusted_rand_score(label, output)
  assert ari == pytest.approx(expected, abs=1e-12)


def test_calibration_error_by_hand():
  confidence = np.array([0.95, 0.95, 0.55, 0.55])
  right = np.array([True, False, True, True])
  error = metrics.expected_calibration_error(confidence, right)
  # Half the rows are overconfident by 0.45, half underconfident by 0.45.
  assert error == pytest.approx(0.45)


def test_calibration_error_accepts_confidence_0_and_1():
  error = metrics.expected_calibration_error(
    np.array([0.0, 1.0]), np.array([False, True])
  )
  assert error == 0


@pytest.mark.parametrize(
  'fake_probability, auc, equal_error',
  [
    ([0.1, 0.2, 0.8, 0.9], 1.0, 0.0),
    ([0.9, 0.8, 0.2, 0.1], 0.0, 1.0),
    ([0.5, 0.5, 0.5, 0.5], 0.5, 0.5),
    # Three of four pairs are in order. Between the middle two, one of two rows
    # of each kind is wrong.
    ([0.1, 0.6, 0.4, 0.9], 0.75, 0.5),
  ],
)
def test_detection_metrics_by_hand(fake_probability, auc, equal_error):
  is_fake = np.array([False, False, True, True])
  found = metrics.detection_metrics(is_fake, np.array(fake_probability))
  assert found == pytest.approx((auc, equal_error))


def test_detection_metrics_need_both_kinds():
  found = metrics.detection_metrics(np.array([True, True]), np.ones(2))
  assert found == (None, None)


def test_detection_metrics_are_included_on_request():
  extra = {
    'is_fake': np.array([False, True, False]),
    'fake_probability': np.array([0.1, 0.7, 0.2]),
  }
  found = compute([0, 1, 0], [0, 1, 0], 1, **extra)
  assert (found['real_fake_auc'], found['real_fake_eer']) == (1, 0)
  assert compute([0, 1], [0, 1], 1)['real_fake_auc'] is None


def test_per_class_table_by_hand():
  label = np.array([0, 0, 0, 2, 2, 2, 2])
  predicted = np.array([0, 0, 1, 4, 4, 4, 0])
  first, second = metrics.per_class_table(label, predicted, 1)
  assert first == {
    'label': 0,
    'known': True,
    'count': 3,
    'matched': 0,
    'accuracy': pytest.approx(2 / 3),
    'under_known_name': False,
    'predicted': 0,
    'predicted_share': pytest.approx(2 / 3),
    'novel_share': pytest.approx(1 / 3),
  }
  assert second == {
    'label': 2,
    'known': False,
    'count': 4,
    'matched': 4,
    'accuracy': 0.75,
    'under_known_name': False,
    'predicted': 4,
    'predicted_share': 0.75,
    'novel_share': 0.75,
  }


def test_per_class_table_matches_nothing_where_a_truth_is_missing():
  label = np.array([0, 0, 2, 2, 2, -1])
  predicted = np.array([0, 1, 4, 4, 0, 3])
  known, novel = metrics.per_class_table(label, predicted, 1)
  assert known['accuracy'] == 0.5 and novel['accuracy'] is None
  assert known['matched'] is novel['matched'] is None
  assert novel['predicted'] == 4 and not novel['under_known_name']


@pytest.mark.parametrize('output, marked', [(1, True), (2, False)])
def test_per_class_table_marks_a_novel_class_under_a_known_name(output, marked):
  # Class 1 has no image, so its output is free for the novel class 2.
  label, predicted = np.array([0, 2, 2]), np.array([0, output, output])
  entry = metrics.per_class_table(label, predicted, 2)[1]
  assert entry['accuracy'] == 1 and entry['under_known_name'] is marked


def test_table_of_classes_averages_to_the_metrics():
  rng = np.random.default_rng(0)
  label, predicted = rng.integers(0, 6, (2, 200))
  found = compute(label, predicted, 3)
  table = found['per_class']
  assert np.mean([row['accuracy'] for row in table]) == pytest.approx(
    found['macro_acc']
  )
  right = sum(row['accuracy'] * row['count'] for row in table)
  assert right / 200 == pytest.approx(found['all_acc'])
