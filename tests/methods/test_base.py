"""Labelled rows, and the clock of a step."""

import jax
import jax.numpy as jnp
import pytest

from owdfa_jax.methods.base import VisibleLabels, make_epoch_info_at


def test_rows_with_a_label_are_labelled():
  labels = VisibleLabels(label=jnp.array([0, -1, 3]), index=jnp.arange(3))
  assert labels.labelled.tolist() == [True, False, True]


@pytest.mark.parametrize(
  'step, epoch, progress',
  [(0, 0, 0.25), (4, 0, 0.25), (5, 1, 0.5), (19, 3, 1.0)],
)
def test_clock_counts_epochs(step, epoch, progress):
  epoch_info_at = make_epoch_info_at(num_known=3, epochs=4, steps_per_epoch=5)
  epoch_info = jax.jit(epoch_info_at)(jnp.int32(step))
  assert (epoch_info.epoch, epoch_info.progress, epoch_info.num_known) == (
    epoch,
    progress,
    3,
  )
