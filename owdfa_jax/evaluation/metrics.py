"""What a set of predictions is worth: clustering, calibration, detection.

Numpy on the host. All values are fractions in [0, 1] (ARI may be negative); a
number that the data cannot give is None.
"""

from typing import Any

import numpy as np
from scipy import optimize
from sklearn import metrics as sklearn_metrics

NUM_BINS = 15

# In the order of the papers' row, then the stricter and the further numbers.
REPORT_KEYS = (
  'known_acc',
  'novel_acc',
  'novel_nmi',
  'novel_ari',
  'all_acc',
  'all_nmi',
  'all_ari',
  'new_acc',
  'known_nmi',
  'known_ari',
  'macro_acc',
  'mean_uncertainty',
  'expected_calibration_error',
  'real_fake_auc',
  'real_fake_eer',
  'num_examples',
)

# Those by which one checkpoint is better than another.
SCORES = REPORT_KEYS[: REPORT_KEYS.index('mean_uncertainty')]


def contingency(true_label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
  """Counts int64 [S, S] by predicted and true class, S = largest id + 1."""
  size = int(max(true_label.max(), predicted.max())) + 1
  flat = predicted.astype(np.int64) * size + true_label
  return np.bincount(flat, minlength=size * size).reshape(size, size)


def best_matching(true_label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
  """The Hungarian matching: the true class given to each predicted id, [S].

  One to one, with the most rows right. Ids without a row of their own are given
  what is left, so the result is a permutation of range(S).
  """
  table = contingency(true_label, predicted)
  _, matched = optimize.linear_sum_assignment(table, maximize=True)
  return matched


def clustering_accuracy(true_label: np.ndarray, predicted: np.ndarray) -> float:
  """Accuracy under the best matching of these rows."""
  matched = best_matching(true_label, predicted)
  return float(np.mean(matched[predicted] == true_label))


def clustering_scores(
  true_label: np.ndarray, predicted: np.ndarray
) -> tuple[float, float, float]:
  """Accuracy under the best matching, NMI (arithmetic mean) and ARI."""
  return (
    clustering_accuracy(true_label, predicted),
    float(sklearn_metrics.normalized_mutual_info_score(true_label, predicted)),
    float(sklearn_metrics.adjusted_rand_score(true_label, predicted)),
  )


def mean_uncertainty(confidence: np.ndarray) -> float:
  """One less the mean of the largest probabilities [N]; float32 arithmetic."""
  return float(1 - np.mean(confidence.astype(np.float32)))


def expected_calibration_error(
  confidence: np.ndarray, right: np.ndarray
) -> float:
  """Mean gap of confidence and accuracy over 15 equal bins, by their share.

  Args:
    confidence: float [N] in [0, 1]; a bin contains its upper edge.
    right: bool [N].
  """
  bins = np.ceil(confidence.astype(np.float64) * NUM_BINS).astype(int) - 1
  bins = np.clip(bins, 0, NUM_BINS - 1)
  gap = np.bincount(bins, confidence - right.astype(np.float64), NUM_BINS)
  return float(np.abs(gap).sum() / len(confidence))


def detection_scores(
  is_fake: np.ndarray, fake_score: np.ndarray
) -> tuple[float | None, float | None]:
  """AUC and equal error rate of telling fake from real; None for one class.

  Args:
    is_fake: bool [N].
    fake_score: float [N], higher for fake.
  """
  if is_fake.all() or not is_fake.any():
    return None, None
  false_alarm, hit, _ = sklearn_metrics.roc_curve(is_fake, fake_score)
  # The false alarms less the misses rise from -1 to 1 along the curve.
  equal = np.interp(0, false_alarm + hit - 1, false_alarm)
  return float(sklearn_metrics.auc(false_alarm, hit)), float(equal)


def open_world_report(
  true_label: np.ndarray,
  predicted: np.ndarray,
  confidence: np.ndarray,
  num_known: int,
  *,
  is_fake: np.ndarray | None = None,
  fake_score: np.ndarray | None = None,
) -> dict[str, Any]:
  """All numbers of one evaluation: `REPORT_KEYS`, and `per_class`.

  known_acc is plain accuracy on true classes below `num_known`. novel_acc
  matches classes on the novel rows alone, as the papers do, and so may give a
  known id to a novel class; new_acc takes the one matching of all rows (that of
  all_acc) to the novel rows. macro_acc is the mean over classes, and the
  calibration error is, under that same matching. Where there is no novel row
  the released code reports 0; this is None.

  Args:
    true_label: int [N], -1 where the truth is unknown: such rows count in
      mean_uncertainty and num_examples only.
    predicted: int [N], an id in [0, K).
    confidence: float [N], the largest probability of each row.
    num_known: the number of known classes.
    is_fake: bool [N], for real_fake_auc and real_fake_eer; not read where the
      true label is unknown.
    fake_score: float [N], the probability of not being a real class.

  Returns:
    Fractions, None where they cannot be computed; num_examples, a count; and
    `per_class`, the rows of `per_class_table`.
  """
  report: dict[str, Any] = dict.fromkeys(REPORT_KEYS)
  report['per_class'] = per_class_table(true_label, predicted, num_known)
  report['num_examples'] = len(predicted)
  if len(predicted):
    report['mean_uncertainty'] = mean_uncertainty(confidence)
  told = true_label >= 0
  label, guess = true_label[told], predicted[told]
  if not len(label):
    return report
  known = label < num_known
  for name, rows in (
    ('known', known),
    ('novel', ~known),
    ('all', np.ones_like(known)),
  ):
    if rows.any():
      accuracy, nmi, ari = clustering_scores(label[rows], guess[rows])
      report |= {
        f'{name}_acc': accuracy,
        f'{name}_nmi': nmi,
        f'{name}_ari': ari,
      }
  right = best_matching(label, guess)[guess] == label
  per_class = [right[label == c].mean() for c in np.unique(label)]
  report['macro_acc'] = float(np.mean(per_class))
  report['expected_calibration_error'] = expected_calibration_error(
    confidence[told], right
  )
  if known.any():
    report['known_acc'] = float(np.mean(guess[known] == label[known]))
  if not known.all():
    report['new_acc'] = float(np.mean(right[~known]))
  if is_fake is not None and fake_score is not None:
    auc, equal_error = detection_scores(is_fake[told], fake_score[told])
    report |= {'real_fake_auc': auc, 'real_fake_eer': equal_error}
  return report


def per_class_table(
  true_label: np.ndarray, predicted: np.ndarray, num_known: int
) -> list[dict[str, int | float | bool]]:
  """One row per true class that occurs, in order; rows of label -1 left out.

  Keys: label; known; count; matched (the predicted id that the matching of all
  rows gives this class); accuracy (a known class: called by its own id, so that
  they average to known_acc; a novel one: under the matching, as in new_acc);
  predicted (the id used most) and predicted_share (its share of the rows).
  """
  told = true_label >= 0
  label, guess = true_label[told], predicted[told]
  if not len(label):
    return []
  table = contingency(label, guess)
  id_of_class = np.argsort(best_matching(label, guess))
  rows = []
  for c in np.unique(label):
    column = table[:, c]
    most, count = int(column.argmax()), int(column.sum())
    rows.append(
      {
        'label': int(c),
        'known': bool(c < num_known),
        'count': count,
        'matched': int(id_of_class[c]),
        'accuracy': float(column[c if c < num_known else id_of_class[c]])
        / count,
        'predicted': most,
        'predicted_share': float(column[most] / count),
      }
    )
  return rows
