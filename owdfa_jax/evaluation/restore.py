"""Restores the network of a run's checkpoint for evaluation."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax.evaluation.centres_file import (
  CENTRES,
  belongs_to,
  read_centres,
)
from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.experiment import Experiment
from owdfa_jax.training import state
from owdfa_jax.training.checkpoint_choice import check_checkpoint
from owdfa_jax.training.checkpoints import restore_model
from owdfa_jax.training.run_record import (
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
    folder: the checkpoint's folder.
    centres_made: how the centres that classify were made, see `CentresFile`;
      None if the head classifies.
  """

  predictor: Predictor
  params: state.Params
  batch_stats: state.BatchStats
  step: int
  latest_metrics: dict[str, Any] | None
  folder: epath.Path
  centres_made: Mapping[str, Any] | None = None


def restore_network(
  experiment: Experiment, *, by_head: bool = False
) -> RestoredNetwork:
  """Restores the checkpoint that `eval.checkpoint` names.

  Only parameters and statistics are read. They may have been saved from any
  number of devices.

  Args:
    experiment: the run.
    by_head: the head classifies, whatever `eval.classify_by` says.

  Raises:
    UserError: there is no such checkpoint, it is damaged or of another network,
      or it lacks the centres that are to classify.
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
  centres = made = None
  if experiment.config.eval.classify_by == 'centres' and not by_head:
    found = read_centres(experiment.workdir, int(folder.name))
    if found is None or not belongs_to(found, folder, experiment.config):
      raise UserError(
        'the checkpoint has no centres: '
        f'{CENTRES.path(experiment.workdir, int(folder.name))}; evaluate the '
        'run first, or give --config.eval.classify_by=head'
      )
    centres, made = found.centres, found.made
  return RestoredNetwork(
    Predictor(experiment, graphdef, centres),
    params,
    batch_stats,
    int(folder.name),
    latest_metrics,
    folder,
    made,
  )
