"""MPSL against the recorded losses, and the log of its perspectives."""

import functools

import jax
import numpy as np
import pytest

from helpers.batches import make_batch, make_context
from helpers.recorded import (
  check_gradients,
  check_terms,
  recorded_cases,
)
from owdfa_jax.methods.mpsl import MPSL
from owdfa_jax.methods.neighbour_voting import weighted_terms

# The released code's names of the terms.
TERMS = {
  'cross_entropy': 'ce',
  'voting': 'mpv',
  'pseudo': 'fcp',
  'entropy': 'en',
}
# Compiled once for each shape of a batch.
terms_and_gradient = jax.jit(
  jax.value_and_grad(functools.partial(weighted_terms, MPSL()), has_aux=True)
)


@pytest.mark.golden
def test_total_terms_and_gradient_agree_with_the_reference(golden):
  file = golden('mpsl_losses')
  # The released code filters no rows.
  for case, batch in recorded_cases(file, mask=None):
    logits = batch.pop('logits')
    result, gradient = terms_and_gradient(logits, **batch)
    check_terms(result, file, case, TERMS)
    check_gradients(gradient, logits, file, case)


def test_every_perspective_is_logged():
  outputs, labels = make_batch()
  _, extras = MPSL().loss(make_context((outputs,), labels))
  assert set(extras.partners) == {
    'global', 'band1', 'band2', 'band3', 'any_band',
    'grid1', 'grid2', 'grid3', 'any_grid', 'either', 'both', 'partner',
  }  # fmt: skip
  unlabelled = ~labels.labelled
  np.testing.assert_array_equal(
    extras.partners['partner'][unlabelled], extras.partners['both'][unlabelled]
  )


def test_each_pseudo_filter_selects_more_rows_than_the_one_before():
  outputs, labels = make_batch()
  context = make_context((outputs,), labels)
  vote, union, none = (
    MPSL(pseudo_filter=name).loss(context)[1].terms['pseudo']
    for name in ('vote', 'union', 'none')
  )
  assert vote < union <= none
