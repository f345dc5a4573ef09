"""Contrastive losses against their definitions, written as loops."""

import jax
import jax.numpy as jnp
import numpy as np

from helpers.batches import random_unit_vectors
from owdfa_jax.losses import contrastive


def log_softmax_of_others(views, temperature, candidates):
  """Yields for each view a dict from other views to log probabilities."""
  cosine = views.astype(np.float64) @ views.T / temperature
  for i in range(len(views)):
    others = [j for j in candidates if j != i]
    total = np.log(np.exp(cosine[i, others]).sum())
    yield {j: cosine[i, j] - total for j in others}


def test_info_nce_equals_its_definition():
  first, second = random_unit_vectors(0), random_unit_vectors(1)
  views = np.concatenate([first, second])
  rows = list(log_softmax_of_others(views, 0.5, range(12)))
  expected = -np.mean([rows[i][(i + 6) % 12] for i in range(12)])
  actual = contrastive.info_nce(first, second, temperature=0.5)
  np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_supervised_contrastive_equals_its_definition():
  first, second = random_unit_vectors(0), random_unit_vectors(1)
  label = np.array([0, 0, 1, -1, -1, 2])
  labelled = label >= 0
  views = np.concatenate([first, second])
  twice = np.tile(label, 2)
  candidates = np.flatnonzero(twice >= 0)
  rows = list(log_softmax_of_others(views, 0.1, candidates))
  means = [
    np.mean([rows[i][j] for j in candidates if j != i and twice[j] == twice[i]])
    for i in candidates
  ]
  actual = contrastive.supervised_contrastive(
    first, second, label, labelled, temperature=0.1
  )
  np.testing.assert_allclose(actual, -np.mean(means), rtol=1e-5)


def test_unlabelled_rows_do_not_matter_to_the_supervised_term():
  first, second = random_unit_vectors(0), random_unit_vectors(1)
  label = np.array([0, 0, 1, -1, -1, 2])

  def loss(first):
    return contrastive.supervised_contrastive(
      first, second, label, label >= 0, temperature=0.1
    )

  gradient = jax.grad(loss)(jnp.asarray(first))
  assert np.all(gradient[label < 0] == 0)
  assert np.abs(gradient[label >= 0]).min() > 0


def test_supervised_contrastive_without_labels_is_zero():
  first, second = random_unit_vectors(0), random_unit_vectors(1)
  label = np.full(6, -1)
  value, gradient = jax.value_and_grad(
    lambda x: contrastive.supervised_contrastive(
      x, second, label, label >= 0, temperature=0.1
    )
  )(jnp.asarray(first))
  assert value == 0
  assert np.all(gradient == 0)
