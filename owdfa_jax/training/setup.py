"""Builds what a run trains with: its state and its compiled functions."""

import dataclasses
from collections.abc import Callable

import jax
from flax import nnx

from owdfa_jax.experiment import Experiment
from owdfa_jax.methods.base import make_epoch_info_at
from owdfa_jax.settings import epoch_steps
from owdfa_jax.training.optimizers import make_optimizer
from owdfa_jax.training.state import (
  TrainState,
  abstract_network,
  make_init,
  state_shardings,
)
from owdfa_jax.training.step import TrainStep, make_end_epoch, make_train_step
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
  train_step: TrainStep
  end_epoch: Callable[[TrainState], TrainState]
  steps_per_epoch: int
  num_steps: int


def set_up_training(experiment: Experiment) -> Training:
  """Returns what `experiment` trains with; nothing is on the devices yet.

  Raises:
    UserError: the training split is smaller than one batch, or the optimiser's
      settings are invalid.
  """
  config, dataset = experiment.config, experiment.dataset
  method, placement = experiment.method, experiment.placement
  steps = epoch_steps(config, dataset)
  optimizer, schedule = make_optimizer(
    **config.optimizer, epochs=config.epochs, steps_per_epoch=steps
  )
  graphdef, _, _ = abstract_network(experiment.build, placement)
  epoch_info_at = make_epoch_info_at(dataset.num_known, config.epochs, steps)
  init = make_init(
    experiment.build,
    method,
    experiment.num_outputs,
    optimizer,
    num_examples=len(dataset.train),
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
