"""Builds what a run trains with: the initial state and the compiled steps."""

import dataclasses
from collections.abc import Callable

from flax import nnx

from input_pipeline import supervision
from owdfa_jax.experiment import Experiment
from owdfa_jax.methods.base import make_clock_at
from owdfa_jax.training.optimizers import make_optimizer
from owdfa_jax.training.state import TrainState, create_state
from owdfa_jax.training.step import TrainStep, make_end_epoch, make_train_step


@dataclasses.dataclass(frozen=True)
class Training:
  """The compiled functions of a run, and its length.

  Attributes:
    graphdef: the network's static definition.
    train_step: takes one step; see `make_train_step`.
    end_epoch: ends an epoch; see `make_end_epoch`.
    steps_per_epoch: steps of one epoch.
    num_steps: steps of all epochs.
  """

  graphdef: nnx.GraphDef
  train_step: TrainStep
  end_epoch: Callable[[TrainState], TrainState]
  steps_per_epoch: int
  num_steps: int


def set_up_training(experiment: Experiment) -> tuple[Training, TrainState]:
  """Returns what `experiment` trains with, and its state before step 1.

  The state is not an attribute of `Training`: a second reference to it would
  keep its arrays on the devices after a checkpoint has replaced it.

  Raises:
    UserError: the training split is smaller than one batch, or the optimiser's
      settings are invalid.
  """
  config, dataset = experiment.config, experiment.dataset
  method, placement = experiment.method, experiment.placement
  steps_per_epoch = supervision.steps_per_epoch(dataset, config.batch_size)
  optimizer, schedule = make_optimizer(
    **config.optimizer, epochs=config.epochs, steps_per_epoch=steps_per_epoch
  )
  graphdef, state = create_state(
    experiment.build,
    method,
    experiment.num_outputs,
    optimizer,
    num_examples=len(dataset.train),
    seed=config.seed,
    placement=placement,
  )
  clock_at = make_clock_at(dataset.num_known, config.epochs, steps_per_epoch)
  training = Training(
    graphdef=graphdef,
    train_step=make_train_step(
      graphdef, method, optimizer, schedule, clock_at, config.seed, placement
    ),
    end_epoch=make_end_epoch(graphdef, method, clock_at, placement),
    steps_per_epoch=steps_per_epoch,
    num_steps=config.epochs * steps_per_epoch,
  )
  return training, state
