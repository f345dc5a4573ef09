"""Tests of the shares of paired rows in the log."""

import jax.numpy as jnp
import numpy as np

from owdfa_jax.methods.base import VisibleLabels
from owdfa_jax.training.partner_metrics import (
  partner_accuracy,
  partner_metrics,
)

KNOWN = 3
SIZE = 8
UNLABELLED = VisibleLabels(label=jnp.full(SIZE, -1), index=jnp.arange(SIZE))
# Rows 0 and 1 are partners, 2 and 3, and so on.
PAIRS = jnp.array([1, 0, 3, 2, 5, 4, 7, 6])


def measure(true_label, partner=PAIRS, labels=UNLABELLED):
  return partner_metrics({'vote': partner}, true_label, labels, KNOWN)


def test_known_and_novel_rows_are_counted_apart():
  # One of the two known pairs is right, and both novel pairs are.
  result = measure(jnp.array([0, 0, 0, 1, KNOWN, KNOWN, KNOWN + 1, KNOWN + 1]))
  assert result['vote_paired'] == 1
  assert result['vote_right'] == 6 / 8
  assert result['vote_right_known'] == 2 / 4
  assert result['vote_right_novel'] == 1


def test_shares_follow_the_true_labels():
  """So the test that losses do not read true labels would notice a change."""
  assert measure(jnp.zeros(SIZE, jnp.int32))['vote_right'] == 1
  assert measure(jnp.arange(SIZE))['vote_right'] == 0


def test_labelled_rows_and_rows_without_partner_do_not_count():
  labels = VisibleLabels(label=jnp.arange(SIZE) % 2 - 1, index=jnp.arange(SIZE))
  partner = PAIRS.at[0].set(0)
  result = measure(jnp.zeros(SIZE, jnp.int32), partner, labels)
  assert result['vote_paired'] == 3 / 4
  assert result['vote_right'] == 1


def test_unknown_true_labels_give_nan():
  result = measure(jnp.full(SIZE, -1))
  assert np.isnan(result['vote_right_known'])
  assert np.isnan(result['vote_right_novel'])


def test_shares_of_what_is_left_are_not_given():
  """Three pairs are right, and one row of the fourth has no true label."""
  result = measure(jnp.array([0, 0, 1, 1, KNOWN, KNOWN, KNOWN, -1]))
  assert result['vote_paired'] == 1
  for name in 'vote_right', 'vote_right_known', 'vote_right_novel':
    assert np.isnan(result[name])
  # The truth of a row that has no partner does not matter.
  partner = PAIRS.at[6].set(6).at[7].set(7)
  result = measure(jnp.array([0, 0, 1, 1, 0, 0, 0, -1]), partner)
  assert result['vote_right'] == 1


def test_partner_accuracy_leaves_out_self_pairs_and_unknown_labels():
  # Row 3 is its own partner; rows 4 and 5 touch an unknown label.
  result = partner_accuracy(
    partner=jnp.array([1, 2, 3, 3, 0, 4]),
    true_label=jnp.array([0, 0, 1, 1, -1, 1]),
    counted=jnp.full(6, True),
  )
  assert result == (2, 3)
