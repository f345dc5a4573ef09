"""What a report says of the confidence with the run's temperature."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.dataset import PackedDataset
from input_pipeline.text_tables import percent
from owdfa_jax.evaluation import metrics
from owdfa_jax.evaluation.calibration import Calibration
from owdfa_jax.evaluation.details import reliability_bins
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.report_fields import (
  CALIBRATION,
  FAILED_CALIBRATION,
  GROUPS,
  main_figures,
)


def with_calibration(
  result: Mapping[str, Any],
  dataset: PackedDataset,
  split: str,
  predictions: Predictions,
  calibration: Calibration | None,
  failed: Calibration | None = None,
) -> dict[str, Any]:
  """Returns the metrics of predictions with the field `CALIBRATION` added.

  Where images are in groups, `groups` gets the field of the verdicts.

  Args:
    result: the metrics of the predictions.
    dataset: the packed images.
    split: 'train' or 'test', whose rows were predicted.
    predictions: for some rows of the split.
    calibration: the temperatures of the run; None without them.
    failed: those of a failed fit; None for none. They get the field
      `FAILED_CALIBRATION`.
  """
  if calibration is None:
    return _without_temperature(result, failed)
  label = getattr(dataset, split).label
  found = {
    **result,
    CALIBRATION: _section(
      calibration.image, calibration.image_agreement, label, predictions
    ),
  }
  if predictions.verdicts is not None:
    section = _section(
      calibration.verdict,
      calibration.verdict_agreement,
      label,
      predictions.verdicts,
    )
    found[GROUPS] = {**result[GROUPS], CALIBRATION: section}
  return found


def _without_temperature(
  result: Mapping[str, Any], failed: Calibration | None
) -> dict[str, Any]:
  found = {**result, CALIBRATION: None}
  if failed is None or failed.failed is None:
    return found
  section = dict(
    zip(('temperature', 'expected_accuracy'), failed.failed, strict=True)
  )
  found[FAILED_CALIBRATION] = section
  if groups := result.get(GROUPS):
    found[GROUPS] = {**groups, CALIBRATION: None, FAILED_CALIBRATION: section}
  return found


def failed_fit_in_words(figures: Mapping[str, Any]) -> str:
  """Returns why figures have no temperature, where its fit failed; else ''.

  Args:
    figures: of a report, or of its groups.
  """
  section = figures.get(FAILED_CALIBRATION)
  if section is None:
    return ''
  return fit_stopped(section['temperature'], section['expected_accuracy'])


def fit_stopped(temperature: float, expected_accuracy: float) -> str:
  """Returns that a fit failed, in words.

  Args:
    temperature: that it ended with.
    expected_accuracy: to which it was to be fitted.
  """
  return (
    f'the fit of the temperature stopped at {temperature:g}, an end of its '
    f'range, for an expected accuracy of {percent(expected_accuracy)} %'
  )


def _section(
  temperature: float,
  agreement: float,
  label: np.ndarray,
  predictions: Predictions,
) -> dict[str, Any]:
  section: dict[str, Any] = {
    'temperature': temperature,
    'expected_accuracy': agreement,
    'expected_calibration_error': None,
    'reliability': None,
  }
  true_label, confidence = label[predictions.row], predictions.calibrated
  if confidence is None or not len(true_label) or (true_label < 0).any():
    return section
  matched = metrics.best_matching(true_label, predictions.predicted)
  correct = matched[predictions.predicted] == true_label
  return section | {
    'expected_calibration_error': metrics.expected_calibration_error(
      confidence, correct
    ),
    'reliability': reliability_bins(confidence, correct),
  }


def calibration_lines(report: Mapping[str, Any]) -> list[str]:
  """Returns the line of a printed report about the confidence.

  Args:
    report: the content of `report.json`, perhaps of an earlier version.
  """
  figures = main_figures(report)
  section = figures.get(CALIBRATION)
  if section is None:
    reason = failed_fit_in_words(figures)
    return [f'confidence: without a temperature: {reason}'] if reason else []
  line = (
    f'confidence: temperature {section["temperature"]:.2f}, from an expected '
    f'accuracy of {percent(section["expected_accuracy"])} %'
  )
  if section['expected_calibration_error'] is not None:
    line += (
      '; calibration error '
      f'{percent(section["expected_calibration_error"])} %, without it '
      f'{percent(figures["expected_calibration_error"])} %'
    )
  return [line]
