"""Tests of the shares of paired rows in the log."""

import jax.numpy as jnp
import numpy as np

from owdfa_jax.methods.base import Rows
from owdfa_jax.training.partner_metrics import partner_metrics

KNOWN = 3
SIZE = 8
UNLABELLED = Rows(label=jnp.full(SIZE, -1), index=jnp.arange(SIZE))
# Rows 0 and 1 are partners, 2 and 3, and so on.
PAIRS = jnp.array([1, 0, 3, 2, 5, 4, 7, 6])


def measure(true_label, partner=PAIRS, rows=UNLABELLED):
  return partner_metrics({'vote': partner}, true_label, rows, KNOWN)


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
  rows = Rows(label=jnp.arange(SIZE) % 2 - 1, index=jnp.arange(SIZE))
  partner = PAIRS.at[0].set(0)
  result = measure(jnp.zeros(SIZE, jnp.int32), partner, rows)
  assert result['vote_paired'] == 3 / 4
  assert result['vote_right'] == 1


def test_unknown_true_labels_give_nan():
  result = measure(jnp.full(SIZE, -1))
  assert np.isnan(result['vote_right_known'])
  assert np.isnan(result['vote_right_novel'])
