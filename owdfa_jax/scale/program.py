"""Traces the training step of a method for a set of devices, and counts."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from flax import nnx
from jax._src.lib import _jax

from owdfa_jax import configs
from owdfa_jax.experiment import make_method, network_builder
from owdfa_jax.methods.base import (
  Context,
  VisibleLabels,
  make_epoch_info_at,
)
from owdfa_jax.models.outputs import Outputs
from owdfa_jax.parallel import Placement, check_batch_size, check_groups
from owdfa_jax.scale import hlo
from owdfa_jax.training.setup import (
  DataSizes,
  Training,
  training_without_data,
)
from owdfa_jax.training.state import abstract_network, abstract_state

# The config whose method a name stands for, where they differ.
_CONFIGS = {'supervised': 'upper_bound'}


@dataclasses.dataclass(frozen=True)
class Sizes:
  """What the cost of a step depends on, besides its method and devices.

  Attributes:
    batch: rows of the global batch.
    backbone: a key of `models.backbones.BACKBONES`.
    image: side of the images in pixels.
    width: multiplies the backbone's channels.
    known: number of known classes.
    outputs: width of the head, where the method does not choose it.
    examples: training images.
    pair_within: rows that CPL and MPSL compare with each other; 0 for all.
  """

  batch: int
  backbone: str = 'resnet50'
  image: int = 256
  width: float = 1.0
  known: int = 20
  outputs: int = 40
  examples: int = 10**6
  pair_within: int = 0


@dataclasses.dataclass(frozen=True)
class Cost:
  """What one step costs one device, as the compiler counts it.

  Attributes:
    flops: floating-point operations.
    moved: bytes that operations read and write.
    peak: bytes of memory: arguments, temporaries, and results that take the
      place of no argument.
    sent: for each kind of collective, the bytes of its results.
  """

  flops: float
  moved: float
  peak: int
  sent: dict[str, int]


def method_config(method: str, sizes: Sizes) -> ml_collections.ConfigDict:
  """Returns the settings of a method as its paper has them, for a batch size.

  Args:
    method: one of `size_flags.METHODS`.
    sizes: the batch, the network and the data.
  """
  config = configs.load(_CONFIGS.get(method, method), 'folder')
  config.batch_size = sizes.batch
  config.model.backbone = sizes.backbone
  config.model.width = sizes.width
  if 'pair_within' in config.method.params:
    config.method.params.pair_within = sizes.pair_within
  return config.lock()


def lower_step(method: str, sizes: Sizes, placement: Placement) -> Any:
  """Returns the training step, traced but not compiled: a `jax.stages.Lowered`.

  Nothing is computed, so the devices of `placement` need not be there.

  Args:
    method: one of `size_flags.METHODS`.
    sizes: the batch, the network and the data.
    placement: the devices.

  Raises:
    UserError: the batch cannot be spread evenly over the devices.
  """
  config = method_config(method, sizes)
  check_devices(config, placement)
  training = step_training(config, sizes, placement)
  return training.train_step.lower(
    abstract_state(training.init, placement), abstract_batch(sizes, placement)
  )


def step_training(
  config: ml_collections.ConfigDict, sizes: Sizes, placement: Placement
) -> Training:
  """Returns what a method trains with.

  Args:
    config: what `method_config` returns.
    sizes: the batch, the network and the data.
    placement: the devices, which need not be there.
  """
  data = DataSizes(
    known=sizes.known,
    outputs=sizes.outputs,
    examples=sizes.examples,
    steps_per_epoch=max(1, sizes.examples // sizes.batch),
  )
  return training_without_data(config, data, sizes.image, placement)


def lower_loss(method: str, sizes: Sizes, placement: Placement) -> Any:
  """Returns the loss alone, with its pairing: no network and no gradient.

  The local views are made in it, from the feature map. It compiles much faster
  than the step. The arguments are those of `lower_step`.
  """
  config = method_config(method, sizes)
  check_devices(config, placement)
  rule = make_method(config)
  width = rule.num_outputs(sizes.known) or sizes.outputs
  build = network_builder(config, rule, width, sizes.image)
  graphdef, *variables = abstract_network(build, placement)
  batch = abstract_batch(sizes, placement)

  def forward(image: jax.Array) -> Outputs:
    model = nnx.merge(graphdef, *jax.tree.map(_zeros, variables))
    return model.classify_images(image, train=True, key=jax.random.key(0))

  def spread(x: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    # The moments of local views, [P, C], are those of all rows.
    has_rows = x.shape[:1] == (sizes.batch,)
    sharding = placement.by_batch if has_rows else placement.replicated
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)

  def loss(outputs: Outputs, label: jax.Array, index: jax.Array) -> Any:
    epoch_info = make_epoch_info_at(sizes.known, config.epochs, 1)
    return rule.loss(
      Context(
        outputs=(outputs,) * len(rule.views),
        labels=VisibleLabels(label=label, index=index),
        epoch_info=epoch_info(jnp.zeros((), jnp.int32)),
        state=rule.init(width, sizes.examples),
        key=jax.random.key(0),
        mesh=placement.mesh,
      )
    )

  outputs = jax.tree.map(spread, jax.eval_shape(forward, batch['image']))
  return jax.jit(loss).lower(outputs, batch['label'], batch['index'])


def _zeros(x: jax.ShapeDtypeStruct) -> jax.Array:
  return jnp.zeros(x.shape, x.dtype)


def check_devices(
  config: ml_collections.ConfigDict, placement: Placement
) -> None:
  """Raises `UserError` unless the batch and its groups fit the devices."""
  check_batch_size(config.batch_size, placement)
  group = config.method.params.get('pair_within', 0)
  check_groups(group, config.batch_size, placement)


def abstract_batch(
  sizes: Sizes, placement: Placement
) -> dict[str, jax.ShapeDtypeStruct]:
  """Describes a batch, split over the devices, without its images."""

  def rows(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(
      (sizes.batch, *shape), dtype, sharding=placement.by_batch
    )

  return {
    'image': rows(jnp.uint8, sizes.image, sizes.image, 3),
    'label': rows(jnp.int32),
    'true_label': rows(jnp.int32),
    'index': rows(jnp.int32),
  }


def step_cost(compiled: Any) -> Cost:
  """Counts what a compiled step, a `jax.stages.Compiled`, costs one device."""
  program, entry = hlo.parse_program(compiled.as_text())
  counted = compiled.cost_analysis()
  libraries = 0, 0
  if counted is None:
    # The compiler for GPUs counts nothing, the one for CPUs no library.
    (module,) = compiled.runtime_executable().hlo_modules()
    client = jax.devices('cpu')[0].client
    counted = _jax.hlo_module_cost_analysis(client, module)
    libraries = hlo.library_costs(program, entry)
  memory = compiled.memory_analysis()
  return Cost(
    flops=counted['flops'] + libraries[0] + hlo.repeated_flops(program, entry),
    moved=counted['bytes accessed']
    + libraries[1]
    + hlo.repeated_bytes(program, entry),
    peak=memory.argument_size_in_bytes
    + memory.temp_size_in_bytes
    + memory.output_size_in_bytes
    - memory.alias_size_in_bytes,
    sent=hlo.sent(program, entry),
  )
