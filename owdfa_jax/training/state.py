"""The train state: everything that a training step changes, in one pytree."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from owdfa_jax.methods.base import Method
from owdfa_jax.models.classifier import Classifier
from owdfa_jax.parallel import Placement
from owdfa_jax.training.compiler import options_to_run_once

# The network's variables, in nested mappings that follow its modules. The
# leaves are arrays, or `jax.ShapeDtypeStruct` where only shapes matter.
Params = nnx.State
BatchStats = nnx.State
# A pytree of arrays; each method has its own, `()` if it keeps nothing.
MethodState = Any


@flax.struct.dataclass
class TrainState:
  """What a step takes and returns.

  All arrays are replicated over the devices, but for parameters and Adam's
  moments where devices share them: see `state_shardings`.

  The random key is not part of it: a step derives its key from the seed and
  the step number, so a resumed run draws what an uninterrupted one draws.

  Attributes:
    step: int32 [], the number of steps taken.
    params: the network's `nnx.Param` leaves, float32.
    batch_stats: the network's `nnx.BatchStat` leaves, which are kept but not
      learned: running means and variances of batch normalisation, float32, and
      for networks that prune their head, bool [K], the outputs in use.
    opt_state: the optimiser's state, Adam's moments.
    method_state: what the method keeps between steps; `()` for most methods.
  """

  step: jax.Array
  params: Params
  batch_stats: BatchStats
  opt_state: optax.OptState
  method_state: MethodState


def split_network(
  model: Classifier,
) -> tuple[nnx.GraphDef, Params, BatchStats]:
  """Returns the static definition, parameters and statistics of a network."""
  graphdef, params, batch_stats = nnx.split(model, nnx.Param, nnx.BatchStat)
  return graphdef, params, batch_stats


def make_init(
  build: Callable[[nnx.Rngs], Classifier],
  method: Method,
  num_outputs: int,
  optimizer: optax.GradientTransformation,
  num_examples: int,
) -> Callable[[jax.Array], TrainState]:
  """Returns the function from a random key to the state before step 1.

  Args:
    build: makes the network from its random streams.
    method: makes the method's own state.
    num_outputs: K, the width of the head.
    optimizer: makes its state for the parameters.
    num_examples: N, training images; methods may keep a value for each.
  """

  def init(key: jax.Array) -> TrainState:
    model = build(nnx.Rngs(key))
    _, params, batch_stats = split_network(model)
    return TrainState(
      step=jnp.zeros((), jnp.int32),
      params=params,
      batch_stats=batch_stats,
      opt_state=optimizer.init(params),
      method_state=method.init(num_outputs, num_examples),
    )

  return init


def create_state(
  init: Callable[[jax.Array], TrainState], seed: int, placement: Placement
) -> TrainState:
  """Creates the state before step 1 on the devices, not on the host.

  Args:
    init: what `make_init` returns.
    seed: below 2**32; determines the initial parameters.
    placement: the devices; see `state_shardings`.
  """
  # The key is made within the program: made before, it is one more to compile.
  compiled_init = jax.jit(
    lambda seed: init(jax.random.key(seed)),
    out_shardings=state_shardings(init, placement),
    compiler_options=options_to_run_once(placement),
  )
  return compiled_init(np.uint32(seed))


def abstract_state(
  init: Callable[[jax.Array], TrainState], placement: Placement
) -> TrainState:
  """Describes the state that `create_state` returns, without creating it.

  Args:
    init: what `make_init` returns.
    placement: the devices; see `state_shardings`.

  Returns:
    A state with `jax.ShapeDtypeStruct` leaves: what a restore needs.
  """
  return jax.tree.map(
    lambda x, sharding: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=sharding
    ),
    _shapes(init),
    state_shardings(init, placement),
  )


def state_shardings(
  init: Callable[[jax.Array], TrainState], placement: Placement
) -> TrainState:
  """Returns where each array of the state is stored.

  Parameters and what the optimiser keeps of them are split over the devices
  that share a copy (`Placement.state_shards`). The rest is small, and on every
  device.

  Args:
    init: what `make_init` returns.
    placement: the devices.

  Returns:
    A state with `jax.NamedSharding` leaves.
  """
  shapes = _shapes(init)
  copied = jax.tree.map(lambda _: placement.replicated, shapes)
  params, opt_state = jax.tree.map(
    lambda x: placement.of_parameter(x.shape), (shapes.params, shapes.opt_state)
  )
  return dataclasses.replace(copied, params=params, opt_state=opt_state)


def _shapes(init: Callable[[jax.Array], TrainState]) -> TrainState:
  # The key is described too: making one would compile a program.
  return jax.eval_shape(init, jax.eval_shape(lambda: jax.random.key(0)))


def abstract_network(
  build: Callable[[nnx.Rngs], Classifier], placement: Placement
) -> tuple[nnx.GraphDef, Params, BatchStats]:
  """Describes a network without computing its weights.

  Args:
    build: makes the network from its random streams.
    placement: the devices; the variables are to be replicated over them.

  Returns:
    The network's static definition, and its parameters and statistics as
    `jax.ShapeDtypeStruct` leaves with shardings: what a restore needs.
  """
  graphdef, *variables = split_network(
    nnx.eval_shape(lambda: build(nnx.Rngs(0)))
  )
  params, batch_stats = _replicate_abstract(variables, placement)
  return graphdef, params, batch_stats


def _replicate_abstract(tree: Any, placement: Placement) -> Any:
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=placement.replicated
    ),
    tree,
  )
