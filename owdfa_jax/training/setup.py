"""Builds what a run trains with: its state and its compiled functions."""

import dataclasses
from collections.abc import Callable

import jax
import ml_collections
from flax import nnx

from owdfa_jax.experiment import (
  Build,
  Experiment,
  make_method,
  network_builder,
)
from owdfa_jax.methods.base import Method, make_epoch_info_at
from owdfa_jax.parallel import Placement
from owdfa_jax.settings import epoch_steps
from owdfa_jax.training.optimizers import make_optimizer
from owdfa_jax.training.seeded_step import SeededStep
from owdfa_jax.training.state import (
  TrainState,
  abstract_network,
  make_init,
  state_shardings,
)
from owdfa_jax.training.step import make_end_epoch, make_train_step
from owdfa_jax.training.views import Augmentation


@dataclasses.dataclass(frozen=True)
class Training:
  """The compiled functions of a run, and its length.

  Attributes:
    graphdef: the network's static definition.
    init: maps a random key to the state before step 1; see `make_init`.
    train_step: takes one step; see `make_train_step`.
    end_epoch: ends an epoch; see `make_end_epoch`.
    steps_per_epoch: steps of one epoch.
    num_steps: steps of all epochs.
  """

  graphdef: nnx.GraphDef
  init: Callable[[jax.Array], TrainState]
  train_step: SeededStep
  end_epoch: Callable[[TrainState], TrainState]
  steps_per_epoch: int
  num_steps: int


@dataclasses.dataclass(frozen=True)
class DataSizes:
  """What the training functions need to know of the data.

  Attributes:
    known: number of known classes.
    outputs: width of the network's head.
    examples: training images.
    steps_per_epoch: steps of one epoch.
  """

  known: int
  outputs: int
  examples: int
  steps_per_epoch: int


def set_up_training(experiment: Experiment) -> Training:
  """Returns what `experiment` trains with; nothing is on the devices yet.

  Raises:
    UserError: the training split is smaller than one batch, or the optimiser's
      settings are invalid.
  """
  config, dataset = experiment.config, experiment.dataset
  return make_training(
    config,
    experiment.method,
    experiment.build,
    DataSizes(
      known=dataset.num_known,
      outputs=experiment.num_outputs,
      examples=len(dataset.train),
      steps_per_epoch=epoch_steps(config, dataset),
    ),
    experiment.placement,
  )


def make_training(
  config: ml_collections.ConfigDict,
  method: Method,
  build: Build,
  sizes: DataSizes,
  placement: Placement,
) -> Training:
  """Returns the compiled functions for data of some sizes.

  Args:
    config: the settings of the run.
    method: computes the loss.
    build: makes the network from its random streams.
    sizes: of the data, which is not read.
    placement: the devices, which need not be there.

  Raises:
    UserError: the optimiser's settings are invalid.
  """
  steps = sizes.steps_per_epoch
  optimizer, schedule = make_optimizer(
    **config.optimizer, epochs=config.epochs, steps_per_epoch=steps
  )
  graphdef, _, _ = abstract_network(build, placement)
  epoch_info_at = make_epoch_info_at(sizes.known, config.epochs, steps)
  init = make_init(
    build, method, sizes.outputs, optimizer, num_examples=sizes.examples
  )
  shardings = state_shardings(init, placement)
  return Training(
    graphdef=graphdef,
    init=init,
    train_step=make_train_step(
      graphdef,
      method,
      optimizer,
      schedule,
      epoch_info_at,
      config.seed,
      placement,
      Augmentation(**config.augment),
      shardings,
    ),
    end_epoch=make_end_epoch(
      graphdef, method, epoch_info_at, placement, shardings
    ),
    steps_per_epoch=steps,
    num_steps=config.epochs * steps,
  )


def training_without_data(
  config: ml_collections.ConfigDict,
  sizes: DataSizes,
  image_size: int,
  placement: Placement,
) -> Training:
  """Returns what a config trains with, for data that need not exist.

  Args:
    config: the settings of a run.
    sizes: of the data; the method may choose another number of outputs.
    image_size: S, of images of S x S pixels.
    placement: the devices, which need not be there.

  Raises:
    UserError: the optimiser's settings are invalid.
  """
  method = make_method(config)
  outputs = method.num_outputs(sizes.known) or sizes.outputs
  return make_training(
    config,
    method,
    network_builder(config, method, outputs, image_size),
    dataclasses.replace(sizes, outputs=outputs),
    placement,
  )
