"""Evaluates the network between epochs of training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import nnx

from input_pipeline import supervision
from owdfa_jax import report_fields
from owdfa_jax.evaluation import report, selection
from owdfa_jax.evaluation.evaluate import evaluate_split
from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.experiment import Experiment
from owdfa_jax.settings import validation_share
from owdfa_jax.training.evaluator import EpochResult
from owdfa_jax.training.loop import train
from owdfa_jax.training.progress import say
from owdfa_jax.training.state import TrainState

# The fields of a heap's summary that are logged after each epoch.
_HEAP_FIELDS = ('novel_share', 'num_outputs_given', 'mean_confidence')
_NOT_LOGGED = ('per_class', 'heap', report_fields.GROUPS)


class EpochEvaluator:
  """Measures the test metrics, and selects checkpoints by `eval.selection`.

  If the metric that `eval.metric` names is not available, one line at the start
  says which score selects instead; see `selection.selection_rule`.

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
    self._settings = settings = experiment.config.eval
    self._rule = selection.selection_rule(
      experiment.dataset, settings.selection, settings.metric
    )
    if self._rule.reason:
      line = (
        f'{settings.metric} cannot select the best checkpoint: '
        f'{self._rule.reason}; '
      )
      if self._rule.basis is selection.Basis.LAST:
        line += 'the last epoch counts'
      else:
        line += (
          f'it is selected by {self._rule.text} (the heap: the images without '
          'a true class)'
        )
      say(line)

  def evaluate_epoch(self, step: int, train_state: TrainState) -> EpochResult:
    """Returns the test metrics and the `selection_score` of a network.

    Args:
      step: the number of steps taken.
      train_state: the state after them.

    Raises:
      UserError: the network's outputs are not finite.
    """
    result = self._measure(train_state, 'test')
    main = report_fields.main_figures(result)
    summary = report.headline(main)
    if main is not result:
      summary += ' (one verdict a group)'
    match self._rule.basis:
      case selection.Basis.METRIC:
        score = self._labelled(train_state, main)[self._settings.metric]
        scores = {report_fields.SELECTION_SCORE: score}
      case selection.Basis.HEAP:
        scores = self._heap_scores(train_state, main)
        score = scores[report_fields.SELECTION_SCORE]
        summary += f'  selection score {score:.4f} (1 to 2)'
      case selection.Basis.LAST:
        # The latest checkpoint counts as the best.
        scores = {report_fields.SELECTION_SCORE: float(step)}
    if self._settings.classify_by == 'centres':
      summary += '  (by the head; the final table is by centres)'
    return EpochResult(metrics=_logged(result) | scores, summary=summary)

  def _labelled(
    self, train_state: TrainState, result: Mapping[str, Any]
  ) -> Mapping[str, Any]:
    """Returns the metrics that select: of test or of validation images.

    Args:
      train_state: the state of the network.
      result: its test metrics, those of the verdicts if there are groups.
    """
    if self._settings.selection != 'validation':
      return result
    rows = self._validation_rows()
    return report_fields.main_figures(self._measure(train_state, 'train', rows))

  def _heap_scores(
    self, train_state: TrainState, result: Mapping[str, Any]
  ) -> dict[str, float | None]:
    """Returns the selection score on a heap, and its two parts."""
    experiment, heap = self._experiment, result['heap']
    labelled = self._labelled(train_state, result)
    if heap is None:
      # The heap has no test images.
      rows = selection.heap_rows(experiment.dataset, experiment.config.seed)
      measured = self._measure(train_state, 'train', rows)
      heap = report_fields.main_figures(measured)['heap']
    known_acc = labelled['known_acc']
    score = selection.combined_score(
      known_acc,
      labelled['num_known_examples'],
      heap['score'],
      heap['num_images'],
    )
    return {
      report_fields.SELECTION_SCORE: score,
      'selection_known': known_acc,
      'selection_heap': heap['score'],
    }

  def _measure(
    self, train_state: TrainState, split: str, rows: np.ndarray | None = None
  ) -> dict[str, Any]:
    """Returns what `evaluate_split` measures."""
    result, _ = evaluate_split(
      self._experiment,
      self._predictor,
      train_state.params,
      train_state.batch_stats,
      split,
      rows,
    )
    return result

  def _validation_rows(self) -> np.ndarray:
    config = self._experiment.config
    return supervision.validation_rows(
      self._experiment.dataset, config.seed, validation_share(config)
    )


def _logged(result: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the figures of a result that are logged, in one flat dict."""
  figures = {k: v for k, v in result.items() if k not in _NOT_LOGGED}
  if (heap := result['heap']) is not None:
    figures |= {f'heap_{name}': heap[name] for name in _HEAP_FIELDS}
  if (groups := result.get(report_fields.GROUPS)) is not None:
    prefix = report_fields.OF_GROUPS
    figures |= {prefix + name: v for name, v in _logged(groups).items()}
  return figures


def train_with_evaluation(experiment: Experiment) -> int:
  """Trains `experiment` and evaluates it between epochs.

  Returns and raises what `training.loop.train` does.
  """
  return train(experiment, EpochEvaluator)
