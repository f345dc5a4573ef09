"""Keys of added draws: none that is split off the same key elsewhere."""

import jax
import numpy as np

from owdfa_jax.random_keys import further_key


def test_further_key_is_none_of_those_that_split_makes():
  key = jax.random.key(7)
  further = jax.random.key_data(further_key(key))
  for count in (2, 7, 1000):
    split = np.asarray(jax.random.key_data(jax.random.split(key, count)))
    assert not (split == further).all(1).any()
  assert not (jax.random.key_data(key) == further).all()
