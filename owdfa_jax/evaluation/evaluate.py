"""Evaluates a run's checkpoint and reports its metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from input_pipeline.dataset import PackedDataset
from owdfa_jax import report_fields
from owdfa_jax.evaluation import metrics
from owdfa_jax.evaluation.calibration_report import (
  failed_fit_in_words,
  with_calibration,
)
from owdfa_jax.evaluation.details import fake_rows, with_details
from owdfa_jax.evaluation.heap import heap_summary
from owdfa_jax.evaluation.predictions import Predictions, Predictor
from owdfa_jax.evaluation.report import write_report
from owdfa_jax.evaluation.restore import RestoredNetwork, restore_network
from owdfa_jax.evaluation.robustness import robustness_table
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.evaluation.selection import Basis, selection_rule
from owdfa_jax.evaluation.source_names import (
  output_names,
  source_names_or_warning,
)
from owdfa_jax.evaluation.sources_file import SeenSources
from owdfa_jax.evaluation.unseen_images import unseen_predictions
from owdfa_jax.evaluation.unseen_report import unseen_fields
from owdfa_jax.experiment import Experiment
from owdfa_jax.models import classifier
from owdfa_jax.settings import eval_rows
from owdfa_jax.training.run_record import recorded_setting

# The reason why a field of the report other than a metric is null.
_NULL_FIELDS = {
  'heap': 'every image has a true class',
  report_fields.CALIBRATION: (
    'too few training images without a label, or files of an earlier version'
  ),
  'last': 'the latest checkpoint was saved between evaluations',
  report_fields.NUM_OUTPUTS_IN_USE: 'the method prunes no outputs',
  report_fields.UNSEEN_AUROC: 'no images of unseen sources were given',
  report_fields.UNSEEN_REJECTED: 'no images of unseen sources were given',
}


def evaluate(experiment: Experiment) -> dict[str, Any]:
  """Restores a checkpoint, evaluates it, and prints and writes the report.

  `eval.checkpoint` names the checkpoint, `eval.split` the images.

  Returns:
    The content of `report.json`.

  Raises:
    UserError: there is no such checkpoint, its network's outputs are not
      finite, or the report cannot be written.
  """
  config = experiment.config
  restored, seen = attach_sources(experiment, restore_network(experiment))
  split, rows = eval_rows(experiment.dataset, config.eval.split)
  names, warning = source_names_or_warning(experiment, restored.step)
  result, predictions = evaluate_split(
    experiment,
    restored.predictor.with_names(names),
    restored.params,
    restored.batch_stats,
    split,
    rows,
    names,
  )
  of_split = experiment.dataset, split, predictions
  result = with_details(result, *of_split)
  if seen is not None:
    result = with_calibration(result, *of_split, seen.calibration, seen.failed)
  report = {
    report_fields.REPORT_VERSION_FIELD: report_fields.REPORT_VERSION,
    'checkpoint_step': restored.step,
    'checkpoint': config.eval.checkpoint,
    'selection': recorded_setting(experiment, 'eval.selection'),
    'selected_by': selected_by(experiment, restored.latest_metrics),
    'split': config.eval.split,
    **_classifier(config.eval.classify_by, restored.centres_made),
    **with_class_names(result, experiment.dataset),
    **_unseen(experiment, restored, seen, predictions),
    'last': test_metrics(experiment.dataset, restored.latest_metrics),
    **_given(names, output_names(experiment)),
  }
  if config.eval.robustness:
    report[report_fields.ROBUSTNESS] = robustness_table(
      experiment, restored, split, rows, predictions
    )
  report['not_available'] = null_reasons(report)
  # Every process of a pod has all predictions; one of them writes.
  if jax.process_index() == 0:
    write_report(experiment, report, predictions, names)
    if warning:
      print(f'warning: found sources are without names: {warning}')
  return report


def _given(names: Sequence[str], outputs: Sequence[str]) -> dict[str, Any]:
  """Returns the field of the report on names that the user gave, if any."""
  given = {
    output: name
    for output, name in zip(outputs, names, strict=True)
    if name != output
  }
  return {report_fields.GIVEN_NAMES: given} if given else {}


def _unseen(
  experiment: Experiment,
  restored: RestoredNetwork,
  seen: SeenSources | None,
  predictions: Predictions,
) -> dict[str, Any]:
  """Returns the fields of the report on images of no source."""
  if seen is None:
    return {}
  return unseen_fields(
    seen,
    predictions,
    unseen_predictions(experiment, restored),
    experiment.config.eval.false_alarm_rate,
  )


def _classifier(
  classify_by: str, made: Mapping[str, Any] | None
) -> dict[str, Any]:
  """Returns the fields of the report on what classified the images."""
  fields: dict[str, Any] = {'classified_by': classify_by}
  return fields if made is None else fields | {'centres': dict(made)}


def evaluate_split(
  experiment: Experiment,
  predictor: Predictor,
  params: Any,
  batch_stats: Any,
  split: str = 'test',
  rows: np.ndarray | None = None,
  names: Sequence[str] | None = None,
) -> tuple[dict[str, Any], Predictions]:
  """Computes the metrics of a network on images of one split.

  Args:
    experiment: the run.
    predictor: the compiled forward pass of its network.
    params: the network's parameters, on the devices.
    batch_stats: the network's statistics, on the devices.
    split: 'train' or 'test'.
    rows: int [N], the rows to evaluate; None evaluates all.
    names: the name of each output; None for those without the user's.

  Returns:
    The metrics of `metrics.open_world_metrics` with `num_outputs_in_use` and
    `heap`, the summary of the images without a true class (`heap_summary`),
    None without such images; where the images are in groups, `groups`, the
    same for the verdicts; and the predictions they were computed from.

  Raises:
    UserError: the network's outputs are not finite.
  """
  of_split = getattr(experiment.dataset, split)
  predictions = predictor.predict(
    params,
    batch_stats,
    predictor.batches(split, rows),
    of_split.group if of_split.has_groups else None,
  )
  in_use = classifier.in_use_from_statistics(batch_stats)
  result = measure_predictions(
    experiment.dataset,
    split,
    predictions,
    output_names(experiment) if names is None else names,
    None if in_use is None else int(in_use.sum()),
  )
  return result, predictions


def measure_predictions(
  dataset: PackedDataset,
  split: str,
  predictions: Predictions,
  names: Sequence[str],
  num_in_use: int | None = None,
) -> dict[str, Any]:
  """Computes the metrics of predictions, whatever made them.

  Args:
    dataset: the packed images.
    split: 'train' or 'test', whose rows were predicted.
    predictions: for some rows of the split.
    names: the name of each output.
    num_in_use: how many outputs pruning left in use; None for all.

  Returns:
    The first result of `evaluate_split`.
  """
  result = _measure(dataset, split, predictions, names, num_in_use)
  verdicts = predictions.verdicts
  if verdicts is not None:
    result[report_fields.GROUPS] = _measure(
      dataset, split, verdicts, names, num_in_use
    )
  return result


def _measure(
  dataset: PackedDataset,
  split: str,
  predictions: Predictions,
  names: Sequence[str],
  num_in_use: int | None,
) -> dict[str, Any]:
  """Computes the metrics of predictions for rows, or of verdicts."""
  true_label = getattr(dataset, split).label[predictions.row]
  result = metrics.open_world_metrics(
    true_label,
    predictions.predicted,
    predictions.confidence,
    dataset.num_known,
    is_fake=fake_rows(dataset, true_label),
    fake_probability=predictions.fake_probability,
  )
  result[report_fields.NUM_OUTPUTS_IN_USE] = num_in_use
  in_heap = true_label < 0
  result['heap'] = None
  if in_heap.any():
    result['heap'] = heap_summary(
      predictions.predicted[in_heap],
      predictions.confidence[in_heap],
      names,
      dataset.num_known,
      num_in_use,
      result['per_class'],
    )
  return result


def with_class_names(
  result: Mapping[str, Any], dataset: PackedDataset
) -> dict[str, Any]:
  """Returns a result whose entries of `per_class` have the classes' names.

  Args:
    result: what `measure_predictions` returns.
    dataset: the packed images.
  """
  named = {
    **result,
    'per_class': [
      {'name': dataset.classes[entry['label']].name, **entry}
      for entry in result['per_class']
    ],
  }
  if (groups := result.get(report_fields.GROUPS)) is not None:
    groups = with_class_names(groups, dataset)
    groups['not_available'] = null_reasons(groups)
    named[report_fields.GROUPS] = groups
  return named


def null_reasons(report: Mapping[str, Any]) -> dict[str, str]:
  """Returns the reason for each field of a report that is None.

  Args:
    report: the content of `report.json` so far.
  """
  reasons = metrics.not_available(report)
  # The verdicts of groups have no field `last`.
  reasons |= {
    k: v for k, v in _NULL_FIELDS.items() if report.get(k, ...) is None
  }
  if failed := failed_fit_in_words(report):
    reasons[report_fields.CALIBRATION] = failed
  return reasons


def selected_by(
  experiment: Experiment, latest_metrics: Mapping[str, Any] | None
) -> str:
  """Describes in words the score that selected the best checkpoint of a run.

  Args:
    experiment: the run.
    latest_metrics: the metrics of its latest checkpoint.
  """
  rule = selection_rule(
    experiment.dataset,
    recorded_setting(experiment, 'eval.selection'),
    recorded_setting(experiment, 'eval.metric'),
  )
  by_heap = rule.basis is Basis.HEAP
  if by_heap and latest_metrics and 'selection_heap' not in latest_metrics:
    return (
      f'{recorded_setting(experiment, "eval.metric")} of the images with a '
      'true class only (trained by an earlier version)'
    )
  return rule.text


def test_metrics(
  dataset: PackedDataset, latest_metrics: Mapping[str, Any] | None
) -> dict[str, Any] | None:
  """Returns the test metrics of a checkpoint, as this version computes them.

  Args:
    dataset: the run's data.
    latest_metrics: what the checkpoint holds, perhaps from an earlier version,
      which computed some from the images with a true class alone.
  """
  if latest_metrics is None:
    return None
  return report_fields.without_missing_truth(
    latest_metrics, int((dataset.test.label < 0).sum())
  )
