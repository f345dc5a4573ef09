"""Evaluates the network between epochs of training."""

import numpy as np
from flax import nnx

from input_pipeline import supervision
from owdfa_jax import report_fields
from owdfa_jax.evaluation import report
from owdfa_jax.evaluation.evaluate import evaluate_split
from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.experiment import Experiment
from owdfa_jax.settings import validation_share
from owdfa_jax.training.evaluator import EpochResult
from owdfa_jax.training.loop import train
from owdfa_jax.training.state import TrainState


class EpochEvaluator:
  """Measures the test metrics, and selects checkpoints by `eval.selection`.

  The class itself is the `make_evaluator` that `training.loop.train` takes.
  """

  def __init__(self, experiment: Experiment, graphdef: nnx.GraphDef):
    """Prepares the forward pass; the first evaluation compiles it.

    Args:
      experiment: the run.
      graphdef: the network's static definition.
    """
    self._experiment = experiment
    self._predictor = Predictor(experiment, graphdef)

  def evaluate_epoch(self, step: int, train_state: TrainState) -> EpochResult:
    """Returns the test metrics and the `selection_score` of a network.

    Args:
      step: the number of steps taken.
      train_state: the state after them.
    """
    selection = self._experiment.config.eval.selection
    result = self._measure(train_state, 'test')
    selection_score = None
    if selection == 'test':
      selection_score = result[self._experiment.config.eval.metric]
    elif selection == 'validation':
      held_out = self._measure(train_state, 'train', self._validation_rows())
      selection_score = held_out[self._experiment.config.eval.metric]
    if selection_score is None:
      # Without model selection, or without images that could select, the
      # latest checkpoint counts as the best.
      selection_score = float(step)
    return EpochResult(
      metrics=result | {report_fields.SELECTION_SCORE: selection_score},
      summary=report.headline(result),
    )

  def _measure(
    self, train_state: TrainState, split: str, rows: np.ndarray | None = None
  ) -> dict[str, float | None]:
    result, _ = evaluate_split(
      self._experiment,
      self._predictor,
      train_state.params,
      train_state.batch_stats,
      split,
      rows,
    )
    del result['per_class']
    return result

  def _validation_rows(self) -> np.ndarray:
    config = self._experiment.config
    return supervision.validation_rows(
      self._experiment.dataset, config.seed, validation_share(config)
    )


def train_with_evaluation(experiment: Experiment) -> int:
  """Trains `experiment` and evaluates it between epochs.

  Returns and raises what `training.loop.train` does.
  """
  return train(experiment, EpochEvaluator)
