"""Checks within the compiled step that its results are finite.

When the host reads that a step diverged, the next step is already running. So
the step itself has to leave the state as it was.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from owdfa_jax.parallel import LEAST_SPLIT
from owdfa_jax.training.state import TrainState

# The parts of the state, by their names in the log.
STATE_PARTS = {
  'parameters': 'params',
  'statistics': 'batch_stats',
  'optimizer_state': 'opt_state',
  'method_state': 'method_state',
}


def all_finite(tree: Any) -> jax.Array:
  """Returns whether all floating-point arrays of a tree are finite, bool []."""
  leaves = [
    leaf
    for leaf in jax.tree.leaves(tree)
    if jnp.issubdtype(leaf.dtype, jnp.inexact)
  ]
  # A network has dozens of small arrays of many shapes. Looked at one by one,
  # each takes three kernels, and they are a tenth of what a step compiles.
  small = [leaf.ravel() for leaf in leaves if leaf.size < LEAST_SPLIT]
  large = [leaf for leaf in leaves if leaf.size >= LEAST_SPLIT]
  if small:
    large.append(jnp.concatenate(small))
  found = [jnp.all(jnp.isfinite(leaf)) for leaf in large]
  return jnp.all(jnp.stack(found)) if found else jnp.bool_(True)


def finite_parts(state: TrainState) -> dict[str, jax.Array]:
  """Returns whether each of `STATE_PARTS` is finite, bool [] by name."""
  return {
    name: all_finite(getattr(state, field))
    for name, field in STATE_PARTS.items()
  }


def take_step_if(
  taken: jax.Array, old: TrainState, new: TrainState
) -> TrainState:
  """Returns the new state if the step is taken, else the old one.

  The number of the step is that of the new state in both cases, and so is the
  schedule's: batches, random draws and learning rates are functions of the
  step, whether or not earlier steps were taken.

  Args:
    taken: bool [].
    old: the state before the step.
    new: the state after it.
  """

  def choose(old_part: Any, new_part: Any) -> Any:
    if _is_schedule(new_part):
      return new_part
    return jnp.where(taken, new_part, old_part)

  chosen = jax.tree.map(choose, old, new, is_leaf=_is_schedule)
  return dataclasses.replace(chosen, step=new.step)


def _is_schedule(part: Any) -> bool:
  return isinstance(part, optax.ScaleByScheduleState)
