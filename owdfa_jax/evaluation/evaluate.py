"""Evaluates a run's checkpoint and reports its metrics."""

from typing import Any

import jax
import numpy as np

from owdfa_jax import report_fields
from owdfa_jax.evaluation import metrics
from owdfa_jax.evaluation.predictions import Predictions, Predictor
from owdfa_jax.evaluation.report import write_report
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.experiment import Experiment
from owdfa_jax.models import classifier
from owdfa_jax.settings import eval_rows
from owdfa_jax.training.run_record import recorded_setting


def evaluate(experiment: Experiment) -> dict[str, Any]:
  """Restores a checkpoint, evaluates it, and prints and writes the report.

  `eval.checkpoint` names the checkpoint, `eval.split` the images.

  Returns:
    The content of `report.json`.

  Raises:
    UserError: there is no such checkpoint, or the report cannot be written.
  """
  config, classes = experiment.config, experiment.dataset.classes
  restored = restore_network(experiment)
  split, rows = eval_rows(experiment.dataset, config.eval.split)
  result, predictions = evaluate_split(
    experiment,
    restored.predictor,
    restored.params,
    restored.batch_stats,
    split,
    rows,
  )
  report = {
    'checkpoint_step': restored.step,
    'checkpoint': config.eval.checkpoint,
    'selection': recorded_setting(experiment, 'eval.selection'),
    'split': config.eval.split,
    **result,
    'per_class': [
      {'name': classes[entry['label']].name, **entry}
      for entry in result['per_class']
    ],
    'last': restored.latest_metrics,
  }
  # Every process of a pod has all predictions; one of them writes.
  if jax.process_index() == 0:
    write_report(experiment, report, predictions)
  return report


def evaluate_split(
  experiment: Experiment,
  predictor: Predictor,
  params: Any,
  batch_stats: Any,
  split: str = 'test',
  rows: np.ndarray | None = None,
) -> tuple[dict[str, Any], Predictions]:
  """Computes the metrics of a network on images of one split.

  Args:
    experiment: the run.
    predictor: the compiled forward pass of its network.
    params: the network's parameters, on the devices.
    batch_stats: the network's statistics, on the devices.
    split: 'train' or 'test'.
    rows: int [N], the rows to evaluate; None evaluates all.

  Returns:
    The metrics of `metrics.open_world_metrics` with `num_outputs_in_use`, and
    the predictions they were computed from.
  """
  dataset = experiment.dataset
  predictions = predictor.predict(
    params, batch_stats, predictor.batches(split, rows)
  )
  true_label = getattr(dataset, split).label[predictions.row]
  is_fake = None
  # Detection needs classes of both kinds.
  if {entry.face_type for entry in dataset.classes} == {0, 1}:
    real = np.array([entry.face_type == 1 for entry in dataset.classes])
    # Rows of label -1 get the value of the last class here; the metrics ignore
    # them.
    is_fake = ~real[true_label]
  result = metrics.open_world_metrics(
    true_label,
    predictions.predicted,
    predictions.confidence,
    dataset.num_known,
    is_fake=is_fake,
    fake_probability=predictions.fake_probability,
  )
  in_use = classifier.in_use_from_statistics(batch_stats)
  result[report_fields.NUM_OUTPUTS_IN_USE] = (
    None if in_use is None else int(in_use.sum())
  )
  return result, predictions
