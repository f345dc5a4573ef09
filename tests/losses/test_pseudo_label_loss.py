"""The loss of pseudo-labels by hand."""

import jax.numpy as jnp
import numpy as np

from owdfa_jax.losses.pseudo_label_loss import pseudo_label_loss


def test_rejected_rows_count_as_zero_in_the_mean():
  logits = jnp.log(jnp.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]))
  value = pseudo_label_loss(
    logits,
    jnp.array([0, 1, 0]),
    mask=jnp.array([False, True, False]),
    unlabelled=jnp.array([True, True, False]),
  )
  np.testing.assert_allclose(value, -np.log(0.75) / 2, rtol=1e-6)
