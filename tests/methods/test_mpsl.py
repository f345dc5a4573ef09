"""MPSL against the recorded losses, and what its voters see."""

import jax
import numpy as np
import pytest

from helpers.batches import CLOCK, make_batch
from helpers.recorded import cases, recorded
from owdfa_jax.methods.mpsl import MPSL

TERMS = {
  'cross_entropy': 'ce',
  'voting': 'mpv',
  'pseudo': 'fcp',
  'entropy': 'en',
}


@pytest.mark.golden
def test_total_terms_and_gradient_agree_with_the_reference(golden):
  file = golden('mpsl_losses')
  for case in cases(file):
    logits, rows, partner, _, gumbel = recorded(file, case, 'mask_u')
    everyone = np.ones(len(logits), bool)
    run = lambda z, rest=(rows, partner, everyone, gumbel): MPSL().total(
      z, *rest
    )
    total, terms = run(logits)
    np.testing.assert_allclose(total, file[f'{case}_total_loss'], rtol=1e-5)
    for ours, theirs in TERMS.items():
      np.testing.assert_allclose(
        terms[ours], file[f'{case}_{theirs}_loss'], rtol=1e-5, atol=1e-7
      )
    grad = jax.grad(lambda z, run=run: run(z)[0])(logits)
    assert np.isfinite(grad).all()
    if np.abs(logits).max() < 100:
      np.testing.assert_allclose(
        grad, file[f'{case}_grad_total_loss'], atol=1e-5
      )


def batch_with_views(seed=0):
  outputs, rows = make_batch(seed)
  draw = np.random.default_rng(seed)
  size, num_features = outputs.feature.shape
  make = lambda cells: draw.normal(size=(size, cells, num_features)).astype(
    np.float32
  )
  return outputs.replace(
    parts=(make(9), make(25), make(49)), bands=(make(16), make(16), make(16))
  ), rows


def test_every_perspective_is_scored():
  outputs, rows = batch_with_views()
  _, result = MPSL().loss((outputs,), rows, CLOCK, (), jax.random.key(0))
  assert set(result.partners) == {
    'global', 'band1', 'band2', 'band3', 'any_band',
    'grid1', 'grid2', 'grid3', 'any_grid', 'either', 'both', 'partner',
  }  # fmt: skip
  unlabelled = ~rows.labelled
  np.testing.assert_array_equal(
    result.partners['partner'][unlabelled], result.partners['both'][unlabelled]
  )


def test_filters_nest():
  outputs, rows = batch_with_views()
  key = jax.random.key(0)
  pseudo = [
    MPSL(pseudo_filter=name)
    .loss((outputs,), rows, CLOCK, (), key)[1]
    .terms['pseudo']
    for name in ('vote', 'union', 'none')
  ]
  assert pseudo[0] < pseudo[1] <= pseudo[2]
