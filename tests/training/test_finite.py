"""Tests of the checks that numbers are finite, and of what a step keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from owdfa_jax.parallel import LEAST_SPLIT
from owdfa_jax.training.finite import (
  STATE_PARTS,
  all_finite,
  finite_parts,
  take_step_if,
)
from owdfa_jax.training.state import TrainState


def make_state(value, step=0):
  params = {'kernel': jnp.full((2, 3), value, jnp.bfloat16)}
  optimizer = optax.chain(
    optax.scale_by_adam(), optax.scale_by_learning_rate(lambda count: 0.1)
  )
  opt_state = optax.tree.set(optimizer.init(params), count=jnp.int32(step))
  return TrainState(
    step=jnp.int32(step),
    params=params,
    batch_stats={'in_use': jnp.array([value > 0, True])},
    opt_state=opt_state,
    method_state=jnp.float32(value),
  )


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_one_number_among_many(value, dtype):
  tree = {'a': jnp.zeros((3, 4), dtype), 'b': (jnp.arange(3), jnp.ones(()))}
  assert all_finite(tree)
  assert not all_finite(tree | {'a': tree['a'].at[2, 1].set(value)})


@pytest.mark.parametrize('size', [LEAST_SPLIT - 1, LEAST_SPLIT])
def test_arrays_of_any_size(size):
  tree = [jnp.zeros(size), jnp.zeros(size), jnp.zeros(3)]
  assert all_finite(tree)
  for place, leaf in enumerate(tree):
    bad = tree.copy()
    bad[place] = leaf.at[-1].set(jnp.nan)
    assert not all_finite(bad)


def test_trees_without_floating_point_numbers_are_finite():
  assert all_finite(())
  assert all_finite({'count': jnp.arange(3), 'mask': jnp.array([True])})


def test_each_part_of_the_state_is_looked_at():
  for name, field in STATE_PARTS.items():
    state = make_state(1.0).replace(**{field: {'x': jnp.array([0, jnp.nan])}})
    found = finite_parts(state)
    assert [part for part, holds in found.items() if not holds] == [name]


def test_step_that_is_not_taken_moves_on_the_step_and_the_schedule():
  old, new = make_state(1.0, step=4), make_state(-2.0, step=5)
  jax.tree.map(
    np.testing.assert_array_equal, take_step_if(jnp.array(True), old, new), new
  )
  kept = take_step_if(jnp.array(False), old, new)
  assert kept.step == 5
  adam, schedule = kept.opt_state
  assert (adam.count, schedule.count) == (4, 5)
  for field in ('params', 'batch_stats', 'method_state'):
    jax.tree.map(
      np.testing.assert_array_equal, getattr(kept, field), getattr(old, field)
    )
