"""FlexMatch by hand: what it remembers, and its thresholds."""

import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax.losses.pseudo_label_rules.flexmatch import (
  FlexMatch,
  rows_to_write,
)


def confident(*classes):
  """Returns logits of rows that are certain of the given classes of four."""
  return 20.0 * jnp.eye(4)[jnp.array(classes)]


def test_remembers_the_last_row_of_a_repeated_example():
  rule = FlexMatch()
  unlabelled = jnp.array([True, True, True, False])
  _, _, state = rule(
    rule.init(4, 5),
    confident(2, 1, 3, 0),
    jnp.array([4, 4, 0, 4]),
    unlabelled,
  )
  assert state.selected.tolist() == [3, -1, -1, -1, 1]


def test_each_example_is_written_by_its_last_sure_row():
  # A scatter on a processor writes the last of two rows anyway, so what it
  # wrote would not show that there is only one.
  index = jnp.array([4, 4, 0, 2, 4])
  sure = jnp.array([True, True, True, False, False])
  assert rows_to_write(index, sure, 5).tolist() == [5, 4, 0, 5, 5]


@pytest.mark.parametrize(
  'warm_up, expected', [(True, [0.5, 0.25, 0, 0]), (False, [1, 0.5, 0, 0])]
)
def test_progress_by_hand(warm_up, expected):
  rule = FlexMatch(warm_up=warm_up)
  # Seven examples: class 0 twice, class 1 once, four never.
  _, _, state = rule(
    rule.init(4, 7),
    confident(0, 0, 1),
    jnp.array([0, 1, 2]),
    jnp.full(3, True),
  )
  np.testing.assert_allclose(state.class_accuracy, expected)
  # Class 1's threshold is then .95 * .25 / 1.75 or .95 * .5 / 1.5.
  limit = 0.95 * expected[1] / (2 - expected[1])
  for prob, accepted in ((limit + 0.01, True), (limit - 0.01, False)):
    # Of all classes class 1 is the most probable one, if only just.
    logits = (
      jnp.full((1, 20), jnp.log((1 - prob) / 19)).at[0, 1].set(jnp.log(prob))
    )
    wide = state._replace(class_accuracy=jnp.pad(state.class_accuracy, (0, 16)))
    mask, target, _ = rule(wide, logits, jnp.array([3]), jnp.array([True]))
    assert target[0] == 1
    assert mask[0] == accepted


def test_progress_stays_while_all_examples_are_equal():
  rule = FlexMatch(warm_up=False)
  step = jnp.array([0, 1]), jnp.array([True, True])
  _, _, state = rule(rule.init(4, 2), confident(1, 1), *step)
  assert state.selected.tolist() == [1, 1]
  assert not state.class_accuracy.any()
