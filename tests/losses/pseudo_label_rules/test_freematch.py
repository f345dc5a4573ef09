"""FreeMatch's quantile of selected rows."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import numpy as np

from owdfa_jax.losses.pseudo_label_rules import freematch

QUANTILE = jax.jit(freematch.masked_quantile, static_argnums=2)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
  hnp.arrays(np.float32, 9, elements=st.floats(0, 1, width=32)),
  hnp.arrays(bool, 9).filter(lambda mask: mask.any()),
)
def test_masked_quantile_is_that_of_the_selected_rows(values, mask):
  found = QUANTILE(values, mask, 0.8)
  expected = np.quantile(values[mask].astype(np.float64), 0.8)
  np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
