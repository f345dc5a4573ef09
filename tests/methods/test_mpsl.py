"""MPSL against the recorded losses, and the log of its perspectives."""

import dataclasses
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
from owdfa_jax import parallel
from owdfa_jax.methods.mpsl import MPSL
from owdfa_jax.methods.neighbour_voting import weighted_terms
from owdfa_jax.models.perspectives import LocalViews

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


def test_devices_pair_as_one_does_and_features_get_no_gradient():
  outputs, labels = make_batch()

  def loss(feature, feature_map, labels, mesh):
    views = LocalViews.of(feature_map, (3, 5, 7))
    moved = outputs.replace(feature=feature, local_views=views)
    context = make_context((moved,), labels)
    total, extras = MPSL().loss(dataclasses.replace(context, mesh=mesh))
    return total, extras.partners

  compute = jax.jit(
    jax.value_and_grad(loss, (0, 1), has_aux=True), static_argnames='mesh'
  )
  batch = (outputs.feature, outputs.local_views.feature_map, labels)
  partners = []
  for devices in (1, 2, 8):
    placement = parallel.make_placement(jax.devices()[:devices])
    spread = jax.device_put(batch, placement.by_batch)
    (_, found), gradients = compute(*spread, mesh=placement.mesh)
    partners.append(found)
    assert all(not np.any(gradient) for gradient in gradients)
  for found in partners[1:]:
    jax.tree.map(np.testing.assert_array_equal, found, partners[0])
