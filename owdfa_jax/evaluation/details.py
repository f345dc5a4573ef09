"""What the evaluation of a checkpoint measures beyond that after an epoch.

Macro scores, the bins of the reliability diagram, how well novel images are
told from known ones, and bootstrap intervals. They are too slow, or too long,
for the log of every epoch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.dataset import PackedDataset
from owdfa_jax.evaluation import metrics
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.resampling import bootstrap_intervals
from owdfa_jax.evaluation.weighted_figures import MeasuredRows
from owdfa_jax.report_fields import DETAILS, GROUPS


def with_details(
  result: Mapping[str, Any],
  dataset: PackedDataset,
  split: str,
  predictions: Predictions,
) -> dict[str, Any]:
  """Returns the metrics of predictions with `report_fields.DETAILS` added.

  Where images are in groups, the details of images draw whole groups, and
  `groups` gets details of its own.

  Args:
    result: what `evaluate.measure_predictions` returned for them.
    dataset: the packed images.
    split: 'train' or 'test', whose rows were predicted.
    predictions: for some rows of the split.
  """
  group = getattr(dataset, split).group[predictions.row]
  rows = measured_rows(dataset, split, predictions, group)
  detailed = {**result, **details(rows, dataset.num_known)}
  verdicts = predictions.verdicts
  if verdicts is not None:
    unit = np.arange(len(verdicts.row))
    rows = measured_rows(dataset, split, verdicts, unit)
    detailed[GROUPS] = result[GROUPS] | details(rows, dataset.num_known)
  return detailed


def measured_rows(
  dataset: PackedDataset, split: str, predictions: Predictions, unit: np.ndarray
) -> MeasuredRows:
  """Returns what figures are computed from.

  Args:
    dataset: the packed images.
    split: 'train' or 'test', whose rows were predicted.
    predictions: for N rows of the split, or N verdicts.
    unit: int [N], what is drawn as a whole.
  """
  label = getattr(dataset, split).label[predictions.row]
  return MeasuredRows(
    unit=unit,
    true_label=label,
    predicted=predictions.predicted,
    confidence=predictions.confidence,
    novel_probability=predictions.novel_probability,
    is_fake=fake_rows(dataset, label),
    fake_probability=predictions.fake_probability,
  )


def fake_rows(dataset: PackedDataset, label: np.ndarray) -> np.ndarray | None:
  """Returns which rows are forged; None if the classes are not of both kinds.

  Rows of label -1 get the value of the last class; with such rows there are no
  figures of detection.

  Args:
    dataset: the packed images.
    label: int [N], the true classes.
  """
  if {entry.face_type for entry in dataset.classes} != {0, 1}:
    return None
  real = np.array([entry.face_type == 1 for entry in dataset.classes])
  return ~real[label]


def details(rows: MeasuredRows, num_known: int) -> dict[str, Any]:
  """Returns `report_fields.DETAILS`; None for what the data cannot give.

  Args:
    rows: the evaluated rows.
    num_known: the number of known classes.
  """
  found: dict[str, Any] = dict.fromkeys(DETAILS)
  if not len(rows.predicted):
    return found
  found['intervals'] = bootstrap_intervals(rows, num_known)
  if (rows.true_label < 0).any():
    return found
  matched = metrics.best_matching(rows.true_label, rows.predicted)
  named = matched[rows.predicted]
  found |= macro_scores(rows.true_label, named)
  found['reliability'] = reliability_bins(
    rows.confidence, named == rows.true_label
  )
  novel = rows.true_label >= num_known
  if rows.novel_probability is not None:
    found['known_novel_auroc'], _ = metrics.detection_metrics(
      novel, rows.novel_probability
    )
  return found


def macro_scores(true_label: np.ndarray, named: np.ndarray) -> dict[str, float]:
  """Returns precision and F1, each the mean over the true classes.

  The mean recall is `macro_acc`. A class whose name no row got has precision 0.

  Args:
    true_label: int [N], N at least 1.
    named: int [N], the class that each row's output is matched to.
  """
  from sklearn.metrics import precision_recall_fscore_support

  precision, _, f1, _ = precision_recall_fscore_support(
    true_label,
    named,
    labels=np.unique(true_label),
    average='macro',
    zero_division=0,
  )
  return {'macro_precision': float(precision), 'macro_f1': float(f1)}


def reliability_bins(
  confidence: np.ndarray, correct: np.ndarray
) -> list[dict[str, float]]:
  """Returns the bins of the reliability diagram that rows are in.

  The mean of |accuracy - confidence|, weighted by `count`, is the expected
  calibration error.

  Args:
    confidence: float [N] in [0, 1].
    correct: bool [N].

  Returns:
    A dict for each bin: `above` and `up_to`, its edges; `count`;
    `confidence` and `accuracy`, means over its rows.
  """
  bins = metrics.calibration_bins(confidence)
  size = metrics.NUM_BINS
  count = np.bincount(bins, minlength=size)
  total = np.bincount(bins, confidence.astype(np.float64), size)
  right = np.bincount(bins, correct.astype(np.float64), size)
  return [
    {
      'above': number / size,
      'up_to': (number + 1) / size,
      'count': int(count[number]),
      'confidence': float(total[number] / count[number]),
      'accuracy': float(right[number] / count[number]),
    }
    for number in np.flatnonzero(count).tolist()
  ]
