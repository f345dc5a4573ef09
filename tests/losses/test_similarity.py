"""Similarities by their definitions, and by what must hold."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from helpers.batches import random_pairing_batch
from owdfa_jax.losses import similarity

# Compiled once for all examples.
SECOND_LARGEST = jax.jit(similarity.second_largest, static_argnums=1)
SIMILARITY = {'rtol': 1e-5, 'atol': 5e-6}


def test_nearest_neighbour_is_a_duplicate_but_never_the_row_itself():
  batch = random_pairing_batch()
  feature = batch['feature']
  feature[[3, 4, 7]] = feature[1]
  nearest = similarity.nearest_neighbour(similarity.cosine_similarity(feature))
  assert np.isin(nearest[jnp.array([1, 3, 4, 7])], [1, 3, 4, 7]).all()
  assert (nearest != np.arange(32)).all()


def test_row_of_identical_images_is_not_its_own_neighbour():
  nearest = similarity.nearest_neighbour(
    similarity.cosine_similarity(jnp.ones((5, 3)))
  )
  assert (nearest != np.arange(5)).all()


def test_similarities_have_no_gradient():
  feature = jnp.asarray(random_pairing_batch()['parts'][0])

  def total(x):
    similarities = (
      similarity.part_similarity(x),
      similarity.band_similarity(x),
      similarity.cosine_similarity(x[:, 0]),
    )
    return sum(s.sum() for s in similarities)

  np.testing.assert_array_equal(jax.grad(total)(feature), 0)


def test_part_similarity_is_the_weighted_sum_of_cosines():
  x = random_pairing_batch()['parts'][0].astype(np.float64)
  norm = np.linalg.norm(x, axis=-1)
  unit = x / norm[..., None]
  weight = norm / np.linalg.norm(norm, axis=-1, keepdims=True)
  expected = np.einsum('ip,ipc,jpc->ij', weight, unit, unit)
  np.testing.assert_allclose(
    similarity.part_similarity(x.astype(np.float32)), expected, **SIMILARITY
  )


def test_both_products_are_the_sum_over_all_cells():
  rng = np.random.default_rng(0)
  left, right = rng.normal(size=(2, 5, 4, 3)).astype(np.float32)
  expected = np.einsum('apc,bpc->ab', left, right, dtype=np.float64)
  for multiply in (
    similarity.product_of_cells,
    similarity.product_of_flat_rows,
  ):
    np.testing.assert_allclose(multiply(left, right), expected, atol=1e-5)


def test_bfloat16_features_are_compared_in_float32():
  feature = jnp.asarray(random_pairing_batch()['feature'], jnp.bfloat16)
  cosine = similarity.cosine_similarity(feature)
  assert cosine.dtype == jnp.float32
  np.testing.assert_allclose(np.diag(cosine), 1, atol=1e-6)


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
  hnp.arrays(np.float32, (6, 5), elements=st.sampled_from([-2, 0, 0.5, 1, 3])),
  st.sampled_from([0, 1]),
)
def test_second_largest_counts_equal_values(values, axis):
  expected = np.take(np.sort(values, axis), -2, axis)
  found = SECOND_LARGEST(values, axis)
  np.testing.assert_array_equal(found, expected)
