"""Trials with hidden classes, on sources that are wholly apart."""

import numpy as np
import pytest

from owdfa_jax.discovery.hidden_classes import try_numbers

# Rows of each of four sources; the first two are known, half of them labelled.
EACH = 20
TRUTH = np.repeat(np.arange(4), EACH)
LABEL = np.where((TRUTH < 2) & (np.arange(4 * EACH) % 2 == 0), TRUTH, -1)


@pytest.fixture(scope='module')
def trials():
  """Returns the trials of 2, 4 and 20 clusters; the second class is hidden."""
  noise = np.random.default_rng(0).normal(size=(4 * EACH, 4))
  components = (10 * np.eye(4)[TRUTH] + noise).astype(np.float32)
  numbers = np.array([2, 4, 20])
  return try_numbers(components, LABEL, np.array([1]), numbers, (0,))


def test_the_cluster_of_a_hidden_class_is_too_large_right_or_too_small(trials):
  too_few, right, too_many = trials
  size = [one.together[1] / one.per_row[1] for one in trials]
  assert size[0] > EACH + 1
  assert size[1] == pytest.approx(EACH)
  assert size[2] < EACH
  assert too_few.together[1] == right.together[1] == 1
  assert too_many.together[1] < 1


def test_half_of_the_labelled_rows_of_a_kept_class_are_pinned(trials):
  for one in trials:
    assert one.pinned[0] == EACH / 4
    assert len(one.held_margin) == EACH / 4
    assert np.isnan([one.pinned[1], one.others[1], one.together[0]]).all()
  # The right number finds all rows of the class.
  assert trials[1].pinned[0] + trials[1].others[0] == EACH


def test_margins_tell_rows_of_kept_classes_from_others(trials):
  right = trials[1]
  assert (right.held_margin > 0).all()
  assert (right.hidden_margin == -1).all()
  # Half of the rows of each known source, and all of the novel ones.
  assert len(right.unlabelled_margin) == 3 * EACH
  assert np.sum(right.unlabelled_margin > 0) == EACH / 2
  assert right.agreement == pytest.approx(1)
