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
from owdfa_jax.report_fields import CALIBRATION, GROUPS, main_figures


def with_calibration(
  result: Mapping[str, Any],
  dataset: PackedDataset,
  split: str,
  predictions: Predictions,
  calibration: Calibration | None,
) -> dict[str, Any]:
  """Returns the metrics of predictions with the field `CALIBRATION` added.

  Where images are in groups, `groups` gets the field of the verdicts.

  Args:
    result: the metrics of the predictions.
    dataset: the packed images.
    split: 'train' or 'test', whose rows were predicted.
    predictions: for some rows of the split.
    calibration: the temperatures of the run; None without them.
  """
  if calibration is None:
    return {**result, CALIBRATION: None}
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
    return []
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
