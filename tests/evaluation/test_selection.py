"""What selects the best checkpoint, by the settings and the data."""

import dataclasses

import numpy as np
import pytest

from helpers.records import make_dataset
from owdfa_jax.evaluation import selection
from owdfa_jax.evaluation.selection import (
  LAST_EPOCH,
  Basis,
  describe_best,
  selection_rule,
)
from owdfa_jax.report_fields import SELECTION_METRICS


def with_labels(dataset, test, *, heap_in_training=False):
  """Returns a dataset with these labels of its test rows.

  Args:
    dataset: of 3 known and 2 novel classes.
    test: the labels, in turn.
    heap_in_training: hide the true class of every novel training row.
  """
  split = dataset.test
  test_split = dataclasses.replace(
    split, label=np.resize(np.asarray(test, np.int32), len(split))
  )
  train = dataset.train
  if heap_in_training:
    label = np.where(train.label < 3, train.label, -1).astype(np.int32)
    train = dataclasses.replace(train, label=label)
  return dataclasses.replace(
    dataset,
    train=train,
    test=test_split,
    novel_count_known=not heap_in_training,
  )


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
  return make_dataset(tmp_path_factory.mktemp('dataset'))


@pytest.mark.parametrize('metric', SELECTION_METRICS)
def test_with_every_truth_the_metric_selects(dataset, metric):
  data = with_labels(dataset, [0, 1, 2, 3, 4])
  rule = selection_rule(data, 'test', metric)
  assert (rule.basis, rule.reason) == (Basis.METRIC, '')
  assert rule.text == f'{metric} on test images'


@pytest.mark.parametrize('metric', SELECTION_METRICS)
def test_test_images_without_a_true_class_leave_it_to_the_heap(dataset, metric):
  data = with_labels(dataset, [0, 1, -1], heap_in_training=True)
  rule = selection_rule(data, 'test', metric)
  if metric == 'known_acc':
    assert rule.basis is Basis.METRIC
  else:
    assert rule.basis is Basis.HEAP
    assert rule.reason == '7 of 21 test images have no true class'
    assert 'and the score of the heap' in rule.text


def test_known_test_images_alone_do_not_select_for_a_heap(dataset):
  """Known images must not select the best checkpoint without a message."""
  data = with_labels(dataset, [0, 1, 2], heap_in_training=True)
  rule = selection_rule(data, 'test', 'all_nmi')
  assert rule.basis is Basis.HEAP
  assert rule.reason == 'no test image is of the heap'
  assert selection_rule(data, 'test', 'known_acc').basis is Basis.METRIC
  # Without a heap, it is the metric of a complete test set.
  rule = selection_rule(with_labels(dataset, [0, 1, 2]), 'test', 'all_nmi')
  assert rule.basis is Basis.METRIC


def test_a_complete_test_set_selects_for_a_heap_in_training(dataset):
  data = with_labels(dataset, [0, 1, 2, 3, 4], heap_in_training=True)
  assert selection_rule(data, 'test', 'all_nmi').basis is Basis.METRIC


@pytest.mark.parametrize('metric', ['new_acc', 'novel_nmi'])
def test_metrics_of_novel_images_need_novel_images(dataset, metric):
  data = with_labels(dataset, [0, 1, 2])
  for which in 'test', 'validation':
    rule = selection_rule(data, which, metric)
    assert rule.basis is Basis.LAST
    assert rule.reason and rule.text == LAST_EPOCH


def test_a_line_says_what_the_best_checkpoint_is(dataset):
  rule = selection_rule(dataset, 'last', 'all_nmi')
  assert describe_best(rule.text) == 'the last epoch, none is selected'
  rule = selection_rule(dataset, 'validation', 'known_acc')
  assert describe_best(rule.text) == (
    'best, selected by known_acc on validation images'
  )


def test_known_accuracy_needs_known_images(dataset):
  rule = selection_rule(with_labels(dataset, [3, 4]), 'test', 'known_acc')
  assert rule.basis is Basis.LAST and 'known class' in rule.reason


@pytest.mark.parametrize('metric', ['all_nmi', 'known_acc'])
def test_heap_without_known_test_images_selects_by_its_score(dataset, metric):
  data = with_labels(dataset, [-1, -1, 3], heap_in_training=True)
  rule = selection_rule(data, 'test', metric)
  assert (rule.basis, rule.text) == (Basis.HEAP, 'the score of the heap')
  rule = selection_rule(data, 'validation', 'all_nmi')
  assert rule.text == 'Known ACC on validation images and the score of the heap'


def test_validation_on_a_heap_scores_the_heap_too(dataset):
  data = with_labels(dataset, [0, 3], heap_in_training=True)
  rule = selection_rule(data, 'validation', 'all_nmi')
  assert rule.basis is Basis.HEAP
  assert 'Known ACC on validation images' in rule.text
  rule = selection_rule(with_labels(dataset, [0, 3]), 'validation', 'all_nmi')
  assert rule.basis is Basis.METRIC


def test_last_selects_nothing(dataset):
  data = with_labels(dataset, [0, -1], heap_in_training=True)
  rule = selection_rule(data, 'last', 'all_nmi')
  assert (rule.basis, rule.reason) == (Basis.LAST, '')


def test_rows_of_the_heap_are_few_and_the_same_for_a_seed(dataset, monkeypatch):
  data = with_labels(dataset, [0], heap_in_training=True)
  every = np.flatnonzero(data.train.label < 0)
  np.testing.assert_array_equal(selection.heap_rows(data, 0), every)
  monkeypatch.setattr(selection, 'MOST_HEAP_ROWS', 4)
  some = selection.heap_rows(data, 0)
  assert len(some) == 4 and (np.diff(some) > 0).all()
  assert set(some) <= set(every)
  np.testing.assert_array_equal(selection.heap_rows(data, 0), some)
  assert set(selection.heap_rows(data, 1)) != set(some)


def test_combined_score_counts_every_image_alike():
  # 30 of 40 labelled images right, and a heap of 60 images with score 0.5.
  score = selection.combined_score(0.75, 40, 0.5, 60)
  assert score == pytest.approx(1 + (30 + 30) / 100)
  assert selection.combined_score(None, 0, 0.5, 60) == 1.5
  # Above every score of earlier versions, which ignored the heap.
  assert selection.combined_score(0.0, 40, 0.0, 60) == 1
