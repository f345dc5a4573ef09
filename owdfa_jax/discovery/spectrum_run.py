"""A run without a network: fits a spectrum's clusters, and reports on them."""

import dataclasses
from typing import Any

import numpy as np

from input_pipeline.dataset import Split
from input_pipeline.supervision import given_label
from owdfa_jax.discovery.spectrum_unseen import (
  fit_spectrum_densities,
  score_spectra,
  spectrum_unseen_fields,
)
from owdfa_jax.evaluation.evaluate import (
  measure_predictions,
  null_reasons,
  with_class_names,
)
from owdfa_jax.evaluation.predictions import (
  Predictions,
  name_outputs,
  real_classes,
)
from owdfa_jax.evaluation.report import write_report
from owdfa_jax.evaluation.unseen import SourceDensities
from owdfa_jax.settings import RunInputs, count_classes, eval_rows
from owdfa_jax.spectrum.model import (
  SpectrumModel,
  fit_clusters,
  fit_regression,
)
from owdfa_jax.spectrum.reading import (
  mean_by_group,
  read_components,
  read_training_scores,
)
from owdfa_jax.spectrum.whitening import Projection
from owdfa_jax.training.progress import say
from owdfa_jax.training.workdir import claim_workdir
from owdfa_jax.training.workdir_lock import lock_workdir

# Fields of a report that only a network has.
_OF_NETWORKS = (
  'checkpoint_step',
  'checkpoint',
  'selection',
  'selected_by',
  'last',
)


def run_spectrum(inputs: RunInputs) -> dict[str, Any]:
  """Fits a spectrum's clusters, evaluates them and writes the report.

  The files are those of a network's evaluation: `config.json`, `report.json`
  and `attributions.csv`. The same inputs give the same files.

  Args:
    inputs: checked by `settings.check_spectrum`.

  Returns:
    The content of `report.json`. The field `spectrum` says how the classifier
    was made.

  Raises:
    UserError: a record is damaged, or the workdir cannot be written.
  """
  with lock_workdir(inputs.workdir):
    claim_workdir(inputs)
    components, model, densities = fit_spectrum(inputs)
    say(describe_fit(model))
    return _evaluate(inputs, components, model, densities)


def fit_spectrum(
  inputs: RunInputs,
) -> tuple[Projection, SpectrumModel, SourceDensities]:
  """Fits the classifier to the training rows, with the labels that are given.

  Args:
    inputs: of the run.

  Returns:
    The map from features to components, the classifier of components, and the
    densities of the sources.
  """
  config, dataset = inputs.config, inputs.dataset
  components, scores = read_training_scores(
    dataset, config.spectrum.components, config.data.num_threads
  )
  label = given_label(dataset.train, config.data.supervision, None)
  if dataset.train.has_groups:
    # The rows of a group have one label, or none.
    scores, first = mean_by_group(scores, dataset.train.group)
    label = label[first]
  if config.data.supervision == 'all':
    model = fit_regression(scores, label, dataset.num_classes)
  else:
    num_classes = count_classes(config, dataset)
    model = fit_clusters(scores, label, num_classes, config.seed)
  return components, model, fit_spectrum_densities(model, scores, label)


def describe_fit(model: SpectrumModel) -> str:
  """Returns a line on how a classifier was made."""
  facts = model.facts
  line = f'{facts["classifier"]}, {facts["components"]} components'
  if 'shrinkage' in facts:
    line += (
      f', whitened with shrinkage {facts["shrinkage"]} '
      f'({facts["shrinkage_chosen_by"]})'
    )
  return line


def _evaluate(
  inputs: RunInputs,
  components: Projection,
  model: SpectrumModel,
  densities: SourceDensities,
) -> dict[str, Any]:
  """Evaluates the classifier on `eval.split`, and writes the report."""
  config, dataset = inputs.config, inputs.dataset
  split, rows = eval_rows(dataset, config.eval.split)
  scores = read_components(
    dataset, split, components, rows, config.data.num_threads
  )
  if rows is None:
    rows = np.arange(len(scores))
  predictions = classify_spectra(
    model,
    scores,
    rows,
    getattr(dataset, split),
    real_classes(dataset),
    densities,
  )
  names = name_outputs(dataset, model.num_outputs)
  result = measure_predictions(dataset, split, predictions, names)
  report: dict[str, Any] = {
    **dict.fromkeys(_OF_NETWORKS),
    'split': config.eval.split,
    **with_class_names(result, dataset),
    **spectrum_unseen_fields(inputs, components, model, densities, predictions),
    'spectrum': dict(model.facts),
  }
  report['not_available'] = null_reasons(report) | dict.fromkeys(
    _OF_NETWORKS, 'a spectrum has no network'
  )
  write_report(inputs, report, predictions, names)
  return report


def classify_spectra(
  model: SpectrumModel,
  scores: np.ndarray,
  rows: np.ndarray,
  split: Split,
  real: list[int],
  densities: SourceDensities,
) -> Predictions:
  """Classifies images, and groups of them by the mean of their spectra.

  Args:
    model: the classifier.
    scores: float32 [N, C], components.
    rows: int [N], the rows of the split.
    split: the split.
    real: the known classes of real images.
    densities: of the sources.
  """
  predictions = _predictions(model.log_probability(scores), rows, real)
  predictions = score_spectra(predictions, densities, scores)
  if not split.has_groups:
    return predictions
  means, first = mean_by_group(scores, split.group[rows])
  verdicts = _predictions(model.log_probability(means), rows[first], real)
  verdicts = score_spectra(verdicts, densities, means)
  return dataclasses.replace(predictions, verdicts=verdicts)


def _predictions(
  log_probability: np.ndarray, rows: np.ndarray, real: list[int]
) -> Predictions:
  probability = np.exp(log_probability)
  return Predictions(
    row=rows.astype(np.int32),
    predicted=probability.argmax(1).astype(np.int32),
    confidence=probability.max(1),
    fake_probability=1 - probability[:, real].sum(1),
  )
