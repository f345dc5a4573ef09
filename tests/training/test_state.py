"""How the state before the first step is made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax.parallel import make_placement
from owdfa_jax.training.state import TrainState, create_state


def draw(key):
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params={'bits': jax.random.bits(key, (5,))},
    batch_stats={},
    opt_state=(),
    method_state=(),
  )


@pytest.mark.parametrize('seed', [0, 7, 2**31, 2**32 - 1])
def test_the_state_is_that_of_the_key_of_the_seed(seed):
  state = create_state(draw, seed, make_placement())
  expected = jax.random.bits(jax.random.key(seed), (5,))
  np.testing.assert_array_equal(state.params['bits'], expected)
  assert state.step.sharding.is_fully_replicated
