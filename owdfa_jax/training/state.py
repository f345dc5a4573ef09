"""All that a training step changes, in one pytree."""

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
  """Attributes, all replicated over the devices.

  step: int32 [], the number of steps taken; with the seed it determines all
    randomness of the next one.
  params: the network's `nnx.Param` leaves, float32.
  batch_stats: what the network keeps but does not learn: the running means and
    variances of batch normalisation, float32, and which outputs are live.
  opt_state: Adam's moments.
  method: what the method carries from step to step; `()` for most.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  opt_state: Any
  method: Any


def split(model: Classifier) -> tuple[nnx.GraphDef, Any, Any]:
  """Returns a network's static definition, parameters and statistics."""
  graphdef, params, batch_stats = nnx.split(model, nnx.Param, nnx.BatchStat)
  return graphdef, params, batch_stats


def initialise(
  build: Callable[[nnx.Rngs], Classifier],
  method: Method,
  num_outputs: int,
  tx: optax.GradientTransformation,
  num_examples: int,
  seed: int,
  placement: Placement,
) -> tuple[nnx.GraphDef, TrainState]:
  """Builds the network and the state, born where they live.

  Args:
    build: makes the network from its random streams.
    method: gives the method's own state.
    num_outputs: width of the head.
    tx: the optimiser.
    num_examples: training images; methods may keep something for each.
    seed: of the initial parameters.
    placement: the devices; the state is replicated over them.

  Returns:
    The network's static definition, and the state before the first step.
  """

  def init(key: jax.Array) -> TrainState:
    model = build(nnx.Rngs(key))
    _, params, batch_stats = split(model)
    return TrainState(
      step=jnp.zeros((), jnp.int32),
      params=params,
      batch_stats=batch_stats,
      opt_state=tx.init(params),
      method=method.init(num_outputs, num_examples),
    )

  graphdef, _, _ = split(nnx.eval_shape(lambda: build(nnx.Rngs(0))))
  # A program that runs once is not worth optimising: a ResNet's many draws
  # take half a minute to compile otherwise.
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
  """A network's static definition, and its parameters and statistics as
  shapes, types and shardings: what restoring it needs, without building it.
  """
  graphdef, *variables = split(nnx.eval_shape(lambda: build(nnx.Rngs(0))))
  params, batch_stats = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=placement.replicated
    ),
    variables,
  )
  return graphdef, params, batch_stats


def abstract(state: Any) -> Any:
  """Shapes, types and shardings of a tree: what a restore needs to know."""
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
    state,
  )
