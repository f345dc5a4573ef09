"""A run without a network: fits a spectrum's clusters, and reports on them."""

from typing import Any

import numpy as np

from input_pipeline.supervision import given_label
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
from owdfa_jax.settings import RunInputs, count_classes, eval_rows
from owdfa_jax.spectrum.model import (
  SpectrumModel,
  fit_clusters,
  fit_regression,
)
from owdfa_jax.spectrum.reading import read_features
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
    model = fit_spectrum(inputs)
    say(describe_fit(model))
    return _evaluate(inputs, model)


def fit_spectrum(inputs: RunInputs) -> SpectrumModel:
  """Fits the classifier to the training rows, with the labels that are given.

  Args:
    inputs: of the run.
  """
  config, dataset = inputs.config, inputs.dataset
  features = read_features(
    dataset, 'train', num_threads=config.data.num_threads
  )
  label = given_label(dataset.train, config.data.supervision, None)
  components = config.spectrum.components
  if config.data.supervision == 'all':
    return fit_regression(features, label, dataset.num_classes, components)
  return fit_clusters(
    features, label, count_classes(config, dataset), components, config.seed
  )


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


def _evaluate(inputs: RunInputs, model: SpectrumModel) -> dict[str, Any]:
  """Evaluates the classifier on `eval.split`, and writes the report."""
  config, dataset = inputs.config, inputs.dataset
  split, rows = eval_rows(dataset, config.eval.split)
  features = read_features(dataset, split, rows, config.data.num_threads)
  log_probability = model.log_probability(features)
  if rows is None:
    rows = np.arange(len(log_probability))
  predictions = predictions_of(log_probability, rows, real_classes(dataset))
  names = name_outputs(dataset, log_probability.shape[1])
  result = measure_predictions(dataset, split, predictions, names)
  report: dict[str, Any] = {
    **dict.fromkeys(_OF_NETWORKS),
    'split': config.eval.split,
    **with_class_names(result, dataset),
    'spectrum': dict(model.facts),
  }
  report['not_available'] = null_reasons(report) | dict.fromkeys(
    _OF_NETWORKS, 'a spectrum has no network'
  )
  write_report(inputs, report, predictions, names)
  return report


def predictions_of(
  log_probability: np.ndarray, rows: np.ndarray, real: list[int]
) -> Predictions:
  """Returns the predictions that log-probabilities mean.

  Args:
    log_probability: float32 [N, K].
    rows: int [N], the rows of the split.
    real: the known classes of real images.
  """
  probability = np.exp(log_probability)
  return Predictions(
    row=rows.astype(np.int32),
    predicted=probability.argmax(1).astype(np.int32),
    confidence=probability.max(1),
    fake_probability=1 - probability[:, real].sum(1),
  )
