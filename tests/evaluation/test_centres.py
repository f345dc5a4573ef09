"""Centres as a classifier: cosines, and outputs without a centre."""

import jax.numpy as jnp
import numpy as np

from owdfa_jax.evaluation.centres import (
  TEMPERATURE,
  Centres,
  Whitening,
  centre_logits,
)


def test_logits_are_cosines_of_whitened_features():
  rng = np.random.default_rng(0)
  mean, matrix = rng.normal(size=6), rng.normal(size=(6, 3))
  direction, feature = rng.normal(size=(4, 3)), rng.normal(size=(9, 6))
  in_use = np.array([True, False, True, True])
  centres = Centres(
    Whitening(jnp.asarray(mean), jnp.asarray(matrix)),
    jnp.asarray(direction),
    jnp.asarray(in_use),
  )
  found = np.asarray(centre_logits(centres, jnp.asarray(feature)))
  rows = (feature - mean) @ matrix
  rows /= np.linalg.norm(rows, axis=1, keepdims=True)
  unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
  expected = (rows @ unit.T) / TEMPERATURE
  np.testing.assert_allclose(found[:, in_use], expected[:, in_use], rtol=1e-4)
  assert (found[:, 1] < -1e8).all() and np.isfinite(found).all()
