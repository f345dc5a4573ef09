"""What a report says about images of none of the sources of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from owdfa_jax.evaluation import unseen
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.sources_file import SeenSources
from owdfa_jax.evaluation.threshold_rows import LEAST_SCORES, TEST_IMAGES
from owdfa_jax.evaluation.unlike_training import unlike_training
from owdfa_jax.report_fields import UNSEEN_AUROC, UNSEEN_REJECTED

# The share of seen images that is kept where `UNSEEN_REJECTED` is measured.
_KEPT = 0.95
# Of the picture of the scores: quantiles at its ends, and its bins.
_HISTOGRAM_RANGE, _NUM_BINS = (0.002, 0.998), 40


def unseen_fields(
  seen: SeenSources,
  predictions: Predictions,
  others: list[Predictions],
  false_alarm_rate: float,
) -> dict[str, Any]:
  """Returns what a report says about images of no source.

  Where images are in groups, all figures are of one verdict a group.

  Args:
    seen: the sources of the run.
    predictions: for the images of `eval.split`.
    others: what `unseen_predictions` returned.
    false_alarm_rate: `eval.false_alarm_rate`.

  Returns:
    The two figures, None without images of unseen sources, and `unseen`:
    threshold, None with too few images; false_alarm_rate;
    num_threshold: how many images it was set on; threshold_set_on: which;
    none_of_these: the share of the evaluated images above it; histogram, see
    `score_histogram`;
    and with images of unseen sources num_unseen, rejected: their share above
    the threshold, and confidence_auroc: the area with 1 - confidence as score.
  """
  verdicts = predictions.verdicts or predictions
  by_verdict = predictions.verdicts is not None
  held_out = seen.verdict_score if by_verdict else seen.image_score
  limit = limit_of(seen, by_verdict, false_alarm_rate)
  score = scores_of(predictions)
  above = None
  if limit is not None and len(score):
    above = float(np.mean(score > limit))
  section: dict[str, Any] = {
    'threshold': limit,
    'false_alarm_rate': false_alarm_rate,
    'num_threshold': len(held_out),
    'threshold_set_on': seen.scored,
    'none_of_these': above,
  }
  if by_verdict:
    section['image_threshold'] = limit_of(seen, False, false_alarm_rate)
  fields: dict[str, Any] = {UNSEEN_AUROC: None, UNSEEN_REJECTED: None}
  compared = [score]
  if others and len(score):
    other = np.concatenate([scores_of(each) for each in others])
    compared.append(other)
    fields = {
      UNSEEN_AUROC: unseen.auroc(score, other),
      UNSEEN_REJECTED: unseen.rejected_at(score, other, _KEPT),
    }
    section |= _others_fields(verdicts, others, other, limit)
  if len(score):
    section['histogram'] = score_histogram(*compared)
  return fields | {'unseen': section}


def _others_fields(
  verdicts: Predictions,
  others: Sequence[Predictions],
  score: np.ndarray,
  limit: float | None,
) -> dict[str, Any]:
  """Returns the fields of `unseen` on images of unseen sources.

  Args:
    verdicts: for the evaluated images.
    others: for the images of unseen sources.
    score: the scores of these.
    limit: the threshold; None for none.
  """
  doubt = [1 - (each.verdicts or each).confidence for each in others]
  return {
    'num_unseen': len(score),
    'rejected': None if limit is None else float(np.mean(score > limit)),
    'confidence_auroc': unseen.auroc(
      1 - verdicts.confidence, np.concatenate(doubt)
    ),
  }


def score_histogram(
  seen_score: np.ndarray, unseen_score: np.ndarray | None = None
) -> dict[str, list[float]]:
  """Returns how many images have which `unseen_score`, for a picture.

  The first and the last bin also hold what lies beyond them.

  Args:
    seen_score: float [N], N at least 1.
    unseen_score: float [M]; None without images of unseen sources.

  Returns:
    `edges`, the 41 edges of the bins; `seen` and, with unseen images, `unseen`,
    the 40 counts.
  """
  scores = {'seen': seen_score}
  if unseen_score is not None:
    scores['unseen'] = unseen_score
  # A single far score must not squeeze all others into one bin.
  low, high = np.quantile(np.concatenate([*scores.values()]), _HISTOGRAM_RANGE)
  edges = np.linspace(low, max(high, low + 1e-6), _NUM_BINS + 1)
  return {'edges': edges.tolist()} | {
    name: np.histogram(np.clip(score, edges[0], edges[-1]), edges)[0].tolist()
    for name, score in scores.items()
  }


def unseen_lines(report: Mapping[str, Any]) -> list[str]:
  """Returns the lines of a printed report about images of no source.

  Args:
    report: the content of `report.json`.
  """
  section = report.get('unseen')
  if section is None:
    return []
  lines = []
  if section['none_of_these'] is not None:
    fitted = report.get('split', 'test') != 'test'
    lines.append(
      f'called none of these: {100 * section["none_of_these"]:.2f} % of the '
      f'images{" (too few: the run has trained on them)" if fitted else ""}, '
      f'{100 * section["false_alarm_rate"]:g} % asked for (threshold '
      f'{section["threshold"]:.2f}, set on {section["num_threshold"]} '
      f'{section.get("threshold_set_on", TEST_IMAGES)})'
    )
  if sentence := unlike_training(report):
    lines.append(sentence)
  if report[UNSEEN_AUROC] is not None:
    lines.append(
      f'{section["num_unseen"]} images of sources that were not seen: AUROC '
      f'{100 * report[UNSEEN_AUROC]:.2f} (by confidence '
      f'{100 * section["confidence_auroc"]:.2f}), '
      f'{100 * report[UNSEEN_REJECTED]:.2f} % rejected with '
      f'{100 * _KEPT:g} % of the others kept'
    )
  return lines


def limit_of(
  seen: SeenSources, by_verdict: bool, false_alarm_rate: float
) -> float | None:
  """Returns the threshold of `unseen_score`; None with too few images.

  Args:
    seen: the sources of the run.
    by_verdict: whether scores are those of groups.
    false_alarm_rate: the share of seen images that may be above it.
  """
  held_out = seen.verdict_score if by_verdict else seen.image_score
  if len(held_out) < LEAST_SCORES:
    return None
  return unseen.threshold(held_out, false_alarm_rate)


def scores_of(predictions: Predictions) -> np.ndarray:
  """Returns the scores of the verdicts, or of the images without groups.

  Args:
    predictions: of a network with its sources attached.
  """
  score = (predictions.verdicts or predictions).unseen_score
  assert score is not None
  return score
