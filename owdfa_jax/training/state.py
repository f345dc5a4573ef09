"""The train state: everything that a training step changes, in one pytree."""

from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax
from flax import nnx

from owdfa_jax.methods.base import Method
from owdfa_jax.models.classifier import Classifier
from owdfa_jax.parallel import Placement


@flax.struct.dataclass
class TrainState:
  """What a step takes and returns. All arrays are replicated over the devices.

  The random key is not part of it: a step derives its key from the seed and
  the step number, so a resumed run draws what an uninterrupted one draws.

  Attributes:
    step: int32 [], the number of steps taken.
    params: the network's `nnx.Param` leaves, float32.
    batch_stats: the network's `nnx.BatchStat` leaves, which are kept but not
      learned: running means and variances of batch normalisation, float32, and
      for networks that prune their head, bool [K], the outputs in use.
    opt_state: the optimiser's state, Adam's moments.
    method: the method's state between steps; `()` for most methods.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  opt_state: Any
  method: Any


def split_network(model: Classifier) -> tuple[nnx.GraphDef, Any, Any]:
  """Returns the static definition, parameters and statistics of a network."""
  graphdef, params, batch_stats = nnx.split(model, nnx.Param, nnx.BatchStat)
  return graphdef, params, batch_stats


def create_state(
  build: Callable[[nnx.Rngs], Classifier],
  method: Method,
  num_outputs: int,
  optimizer: optax.GradientTransformation,
  num_examples: int,
  seed: int,
  placement: Placement,
) -> tuple[nnx.GraphDef, TrainState]:
  """Builds the network and the state before the first step.

  The arrays are created on the devices, not copied there from the host.

  Args:
    build: makes the network from its random streams.
    method: makes the method's own state.
    num_outputs: K, the width of the head.
    optimizer: makes its state for the parameters.
    num_examples: N, training images; methods may keep a value for each.
    seed: determines the initial parameters.
    placement: the devices; the state is replicated over them.

  Returns:
    The network's static definition, and the state.
  """

  def init(key: jax.Array) -> TrainState:
    model = build(nnx.Rngs(key))
    _, params, batch_stats = split_network(model)
    return TrainState(
      step=jnp.zeros((), jnp.int32),
      params=params,
      batch_stats=batch_stats,
      opt_state=optimizer.init(params),
      method=method.init(num_outputs, num_examples),
    )

  graphdef, _, _ = split_network(nnx.eval_shape(lambda: build(nnx.Rngs(0))))
  # This program runs once. With optimisation, the many random draws of a ResNet
  # take half a minute to compile.
  compiled_init = jax.jit(
    init,
    out_shardings=placement.replicated,
    compiler_options={
      'xla_backend_optimization_level': 0,
      'xla_llvm_disable_expensive_passes': True,
    },
  )
  return graphdef, compiled_init(jax.random.key(seed))


def abstract_network(
  build: Callable[[nnx.Rngs], Classifier], placement: Placement
) -> tuple[nnx.GraphDef, Any, Any]:
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
  params, batch_stats = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=placement.replicated
    ),
    variables,
  )
  return graphdef, params, batch_stats


def abstract_tree(tree: Any) -> Any:
  """Returns the shapes, types and shardings of a tree of arrays."""
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree
  )
