"""Metrics of open-world attribution: clustering, calibration, detection.

NumPy on the host. Values are fractions in [0, 1], except that ARI may be
negative. A number that the data cannot give is None.

SciPy and scikit-learn are imported where they are used: they take a second to
load, and training needs them only at the end of its first epoch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from owdfa_jax import report_fields

NUM_BINS = 15
_NEED_EVERY_TRUTH = (
  *report_fields.NEED_EVERY_TRUTH,
  *report_fields.DETAILS_THAT_NEED_EVERY_TRUTH,
)


def contingency(true_label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
  """Counts rows by predicted output and true class.

  Returns:
    int64 [S, S] indexed by [output, class], S being the largest id + 1.
  """
  # One size for both, so that a matching is a permutation even where there are
  # more outputs than classes.
  size = int(max(true_label.max(), predicted.max())) + 1
  flat = predicted.astype(np.int64) * size + true_label
  return np.bincount(flat, minlength=size * size).reshape(size, size)


def best_matching(true_label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
  """Assigns outputs to true classes one to one, with the most rows correct.

  Solves the assignment problem (Kuhn, "The Hungarian method for the assignment
  problem", 1955) in O(S^3).

  Args:
    true_label: int [N].
    predicted: int [N], outputs.

  Returns:
    int [S], the true class of each output: a permutation of range(S). Outputs
    that no row uses get the classes that are left over.
  """
  from scipy import optimize

  table = contingency(true_label, predicted)
  _, matched = optimize.linear_sum_assignment(table, maximize=True)
  return matched


def clustering_accuracy(true_label: np.ndarray, predicted: np.ndarray) -> float:
  """Returns the accuracy under the best matching of these rows."""
  matched = best_matching(true_label, predicted)
  return float(np.mean(matched[predicted] == true_label))


def clustering_metrics(
  true_label: np.ndarray, predicted: np.ndarray
) -> tuple[float, float, float]:
  """Returns the accuracy under the best matching, NMI and ARI.

  All three come from one table of counts: scikit-learn's functions for NMI and
  ARI would sort all rows for each.

  Args:
    true_label: int [N], N > 0.
    predicted: int [N], outputs.
  """
  from scipy import optimize

  table = contingency(true_label, predicted)
  matched = optimize.linear_sum_assignment(table, maximize=True)
  accuracy = float(table[matched].sum() / len(true_label))
  return accuracy, _normalized_mutual_information(table), _adjusted_rand(table)


def _normalized_mutual_information(table: np.ndarray) -> float:
  """Returns the NMI of a table of counts, as the papers' code normalises it.

  The mutual information is divided by the arithmetic mean of both entropies.
  """
  from scipy import stats
  from sklearn import metrics

  mean = (stats.entropy(table.sum(0)) + stats.entropy(table.sum(1))) / 2
  if mean == 0:  # one cluster of one class
    return 1.0
  shared = metrics.mutual_info_score(None, None, contingency=table)
  # A quotient of two rounded entropies can leave [0, 1] in its last digit.
  return float(np.clip(shared / mean, 0, 1))


def _adjusted_rand(table: np.ndarray) -> float:
  """Returns the adjusted Rand index of a table of counts.

  The pairs of rows that lie together in both, less those expected by chance
  (Hubert and Arabie, "Comparing partitions", 1985, eq. 5).
  """

  def pairs(count: np.ndarray) -> float:
    count = count.astype(np.float64)
    return float((count * (count - 1) / 2).sum())

  together = pairs(table)
  outputs, classes = pairs(table.sum(1)), pairs(table.sum(0))
  every = pairs(table.sum(keepdims=True))
  most = (outputs + classes) / 2
  by_chance = outputs * classes / every if every else most
  if most == by_chance:
    return 1.0
  return (together - by_chance) / (most - by_chance)


def mean_uncertainty(confidence: np.ndarray) -> float:
  """Returns 1 - the mean of the largest probabilities [N], in float32."""
  return float(1 - np.mean(confidence.astype(np.float32)))


def expected_calibration_error(
  confidence: np.ndarray, correct: np.ndarray
) -> float:
  """Returns the mean gap between confidence and accuracy over 15 equal bins.

  Each bin is weighted by its share of the rows (Guo et al., "On calibration of
  modern neural networks", ICML 2017, eq. 3).

  Args:
    confidence: float [N] in [0, 1]; a bin contains its upper edge.
    correct: bool [N].
  """
  bins = calibration_bins(confidence)
  gap = np.bincount(bins, confidence - correct.astype(np.float64), NUM_BINS)
  return float(np.abs(gap).sum() / len(confidence))


def calibration_bins(confidence: np.ndarray) -> np.ndarray:
  """Returns the bin of each confidence, int [N], below `NUM_BINS`.

  Args:
    confidence: float [N] in [0, 1]; a bin contains its upper edge.
  """
  bins = np.ceil(confidence.astype(np.float64) * NUM_BINS).astype(int) - 1
  # A confidence of exactly 0 belongs to the first bin.
  return np.clip(bins, 0, NUM_BINS - 1)


def detection_metrics(
  is_fake: np.ndarray, fake_probability: np.ndarray
) -> tuple[float | None, float | None]:
  """Returns the AUC and the equal error rate of telling fake from real.

  Both are None when the rows are all fake or all real.

  Args:
    is_fake: bool [N].
    fake_probability: float [N], higher for fake.
  """
  from sklearn import metrics

  if is_fake.all() or not is_fake.any():
    return None, None
  false_alarm, hit, _ = metrics.roc_curve(is_fake, fake_probability)
  # False alarms less misses rise from -1 to 1 along the curve; the equal error
  # rate is where the difference is 0.
  equal_error = np.interp(0, false_alarm + hit - 1, false_alarm)
  return float(metrics.auc(false_alarm, hit)), float(equal_error)


def open_world_metrics(
  true_label: np.ndarray,
  predicted: np.ndarray,
  confidence: np.ndarray,
  num_known: int,
  *,
  is_fake: np.ndarray | None = None,
  fake_probability: np.ndarray | None = None,
) -> dict[str, Any]:
  """Returns all metrics of one evaluation, and the table of its classes.

  known_acc is plain accuracy on the rows of known classes. novel_acc matches
  outputs to classes on the novel rows alone, as the papers do, so a novel class
  may be matched to the output of a known class; new_acc applies the one
  matching of all rows (that of all_acc) to the novel rows. macro_acc (the mean
  over classes) and the calibration error use the matching of all rows too.
  Where no row is novel the papers' code reports 0; here those metrics are None.

  Args:
    true_label: int [N]; -1 where the truth is unknown. One such row makes every
      metric of `report_fields.NEED_EVERY_TRUTH` None. known_acc remains: the
      accuracy on the rows whose true class is a known one.
    predicted: int [N], an output in [0, K).
    confidence: float [N], the largest probability of each row.
    num_known: the number of known classes.
    is_fake: bool [N], for real_fake_auc and real_fake_eer.
    fake_probability: float [N], the probability of not being a real class.

  Returns:
    `report_fields.METRICS`, and `per_class` as `per_class_table` returns it.
  """
  result: dict[str, Any] = dict.fromkeys(report_fields.METRICS)
  result['per_class'] = per_class_table(true_label, predicted, num_known)
  result['num_examples'] = len(predicted)
  known = (true_label >= 0) & (true_label < num_known)
  result['num_known_examples'] = int(known.sum())
  result['num_without_truth'] = int(np.sum(true_label < 0))
  if not len(predicted):
    return result
  result['mean_uncertainty'] = mean_uncertainty(confidence)
  if known.any():
    # Known classes have an output of their own: no matching.
    result['known_acc'] = float(np.mean(predicted[known] == true_label[known]))
  if result['num_without_truth']:
    return result
  result |= _matched_metrics(true_label, predicted, num_known)
  correct = best_matching(true_label, predicted)[predicted] == true_label
  result['expected_calibration_error'] = expected_calibration_error(
    confidence, correct
  )
  if is_fake is not None and fake_probability is not None:
    result['real_fake_auc'], result['real_fake_eer'] = detection_metrics(
      is_fake, fake_probability
    )
  return result


def not_available(result: Mapping[str, Any]) -> dict[str, str]:
  """Returns the reason why a metric is None, by its name.

  Args:
    result: what `open_world_metrics` returns.
  """
  missing, total = result['num_without_truth'], result['num_examples']

  def reason(name: str) -> str:
    if not total:
      return 'there are no images'
    if missing and name in _NEED_EVERY_TRUTH:
      return f'{missing} of {total} images have no true class'
    if name.startswith('known'):
      return 'no image has a known class as its true class'
    if name.startswith('real_fake'):
      return 'there are not both real and forged images'
    if name == 'known_novel_auroc':
      return 'there are not both images of known and of novel classes'
    if name == 'intervals':
      return 'there are fewer than two images to draw from'
    return 'no image has a novel class as its true class'

  names = (*report_fields.METRICS, *report_fields.DETAILS)
  return {name: reason(name) for name in names if result.get(name, ...) is None}


def _matched_metrics(
  label: np.ndarray, output: np.ndarray, num_known: int
) -> dict[str, float]:
  """Returns metrics of known, novel and all rows; leaves out empty groups."""
  known = label < num_known
  result = {}
  # Each group has a matching of its own, as in the papers' code.
  groups = {'known': known, 'novel': ~known, 'all': np.ones_like(known)}
  for name, rows in groups.items():
    if rows.any():
      accuracy, nmi, ari = clustering_metrics(label[rows], output[rows])
      result |= {
        f'{name}_acc': accuracy,
        f'{name}_nmi': nmi,
        f'{name}_ari': ari,
      }
  # Known ACC has no matching.
  result.pop('known_acc', None)
  correct = best_matching(label, output)[output] == label
  if not known.all():
    result['new_acc'] = float(np.mean(correct[~known]))
  count = np.bincount(label)
  share = np.bincount(label, correct)[count > 0] / count[count > 0]
  result['macro_acc'] = float(np.mean(share))
  return result


def per_class_table(
  true_label: np.ndarray, predicted: np.ndarray, num_known: int
) -> list[dict[str, int | float | bool | None]]:
  """Returns one entry per true class that occurs, in order of the labels.

  Rows of label -1 are left out. If there are any, classes are not matched to
  outputs. The keys of an entry:

  - label: the class.
  - known: whether the class is known.
  - count: how many rows it has.
  - matched: the output that the matching of all rows assigns to the class, or
    None.
  - accuracy: the share of rows with the correct output. For a known class that
    is its own output (the accuracies average to known_acc), for a novel class
    `matched` (they average to new_acc); None without it.
  - under_known_name: whether a novel class counts as correct under the name of
    a known one.
  - predicted: the output that most rows have.
  - predicted_share: the share of rows with that output.
  - novel_share: the share of rows with a novel output.
  """
  has_truth = true_label >= 0
  label, output = true_label[has_truth], predicted[has_truth]
  if not len(label):
    return []
  table = contingency(label, output)
  output_of_class = None
  if has_truth.all():
    output_of_class = np.argsort(best_matching(label, output))
  entries = []
  for c in np.unique(label):
    column = table[:, c]
    most, count = int(column.argmax()), int(column.sum())
    matched = None if output_of_class is None else int(output_of_class[c])
    own = int(c) if c < num_known else matched
    entries.append(
      {
        'label': int(c),
        'known': bool(c < num_known),
        'count': count,
        'matched': matched,
        'accuracy': None if own is None else float(column[own]) / count,
        'under_known_name': bool(
          c >= num_known
          and own is not None
          and own < num_known
          and column[own] > 0
        ),
        'predicted': most,
        'predicted_share': float(column[most] / count),
        'novel_share': float(column[num_known:].sum() / count),
      }
    )
  return entries
