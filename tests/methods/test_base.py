"""Labelled rows, and the clock of a step."""

import jax
import jax.numpy as jnp
import pytest

from owdfa_jax.methods.base import Rows, make_clock_at


def test_rows_with_a_label_are_labelled():
  rows = Rows(label=jnp.array([0, -1, 3]), index=jnp.arange(3))
  assert rows.labelled.tolist() == [True, False, True]


@pytest.mark.parametrize(
  'step, epoch, progress',
  [(0, 0, 0.25), (4, 0, 0.25), (5, 1, 0.5), (19, 3, 1.0)],
)
def test_clock_counts_epochs(step, epoch, progress):
  clock_at = make_clock_at(num_known=3, epochs=4, steps_per_epoch=5)
  clock = jax.jit(clock_at)(jnp.int32(step))
  assert (clock.epoch, clock.progress, clock.num_known) == (epoch, progress, 3)
