"""A run without a network: fits a spectrum's clusters, and reports on them."""

from typing import Any

import numpy as np

from input_pipeline.supervision import given_label
from owdfa_jax.discovery.spectrum_predictions import (
  FittedSpectrum,
  classify_spectra,
  fit_spectrum_sources,
)
from owdfa_jax.discovery.spectrum_unseen import spectrum_unseen_fields
from owdfa_jax.evaluation.details import with_details
from owdfa_jax.evaluation.evaluate import (
  measure_predictions,
  null_reasons,
  with_class_names,
)
from owdfa_jax.evaluation.report import write_report
from owdfa_jax.evaluation.source_names import name_outputs
from owdfa_jax.report_fields import REPORT_VERSION, REPORT_VERSION_FIELD
from owdfa_jax.settings import RunInputs, count_classes, eval_rows
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.spectrum.model import (
  SpectrumModel,
  fit_clusters,
  fit_regression,
)
from owdfa_jax.spectrum.reading import fit_components, read_components
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
    fitted = fit_spectrum(inputs)
    say(describe_fit(fitted.model))
    return _evaluate(inputs, fitted)


def fit_spectrum(inputs: RunInputs) -> FittedSpectrum:
  """Fits the classifier to the training rows, with the labels that are given.

  Args:
    inputs: of the run.

  Raises:
    UserError: a record is damaged.
  """
  config, dataset = inputs.config, inputs.dataset
  projection, components = fit_components(
    dataset, config.spectrum.components, config.data.num_threads
  )
  label = given_label(dataset.train, config.data.supervision, None)
  # Each row is a group of its own, unless there are groups.
  rows, place = components, np.arange(len(components))
  if dataset.train.has_groups:
    # The rows of a group have one label, or none.
    components, first = group_means(components, dataset.train.group)
    label, found = label[first], dataset.train.group[first]
    order = np.argsort(found)
    place = order[np.searchsorted(found[order], dataset.train.group)]
  if config.data.supervision == 'all':
    model = fit_regression(components, label, dataset.num_classes)
  else:
    num_classes = count_classes(config, dataset)
    model = fit_clusters(components, label, num_classes, config.seed)
  seen = fit_spectrum_sources(model, components, label, rows, place)
  return FittedSpectrum(projection, model, seen)


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


def _evaluate(inputs: RunInputs, fitted: FittedSpectrum) -> dict[str, Any]:
  """Evaluates the classifier on `eval.split`, and writes the report."""
  config, dataset, model = inputs.config, inputs.dataset, fitted.model
  split, rows = eval_rows(dataset, config.eval.split)
  components = read_components(
    dataset, split, fitted.projection, rows, config.data.num_threads
  )
  if rows is None:
    rows = np.arange(len(components))
  predictions = classify_spectra(
    fitted,
    components,
    rows,
    getattr(dataset, split),
    dataset,
  )
  names = name_outputs(dataset, model.num_outputs)
  result = measure_predictions(dataset, split, predictions, names)
  result = with_details(result, dataset, split, predictions)
  report: dict[str, Any] = {
    REPORT_VERSION_FIELD: REPORT_VERSION,
    **dict.fromkeys(_OF_NETWORKS),
    'split': config.eval.split,
    **with_class_names(result, dataset),
    **spectrum_unseen_fields(inputs, fitted, predictions),
    'spectrum': dict(model.facts),
  }
  report['not_available'] = null_reasons(report) | dict.fromkeys(
    _OF_NETWORKS, 'a spectrum has no network'
  )
  write_report(inputs, report, predictions, names)
  return report
