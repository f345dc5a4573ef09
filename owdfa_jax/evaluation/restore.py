"""Restores the network of a run's checkpoint for evaluation."""

import dataclasses
from typing import Any

from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.experiment import Experiment
from owdfa_jax.training import state
from owdfa_jax.training.checkpoints import restore_model
from owdfa_jax.training.run_record import (
  check_checkpoint,
  check_same_network,
)
from owdfa_jax.training.verification import (
  choose_checkpoint,
  verify_checkpoint,
)


@dataclasses.dataclass(frozen=True)
class RestoredNetwork:
  """A checkpoint's network, ready to predict.

  Attributes:
    predictor: the compiled forward pass.
    params: the network's parameters, on the devices.
    batch_stats: the network's statistics, on the devices.
    step: the checkpoint's step.
    latest_metrics: the metrics of the latest checkpoint, with its step as
      `checkpoint_step`; None if it was saved between evaluations.
  """

  predictor: Predictor
  params: state.Params
  batch_stats: state.BatchStats
  step: int
  latest_metrics: dict[str, Any] | None


def restore_network(experiment: Experiment) -> RestoredNetwork:
  """Restores the checkpoint that `eval.checkpoint` names.

  Only parameters and statistics are read. They may have been saved from any
  number of devices.

  Raises:
    UserError: there is no such checkpoint, or it is damaged or of another
      network.
  """
  check_checkpoint(experiment)
  check_same_network(experiment)
  graphdef, params, batch_stats = state.abstract_network(
    experiment.build, experiment.placement
  )
  folder, latest_metrics = choose_checkpoint(
    experiment.workdir, experiment.config.eval.checkpoint
  )
  verify_checkpoint(folder, '--config.eval.checkpoint={step}')
  params, batch_stats = restore_model(folder, params, batch_stats)
  return RestoredNetwork(
    Predictor(experiment, graphdef),
    params,
    batch_stats,
    int(folder.name),
    latest_metrics,
  )
