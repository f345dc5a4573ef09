"""Names of the numbers in a report, without jax and sklearn.

Settings are checked against these names before anything slow is imported.
"""

import math
from collections.abc import Mapping
from typing import Any

# In the order of the papers' tables, followed by our own additions.
METRICS = (
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
  'num_known_examples',
  'num_without_truth',
)

# Figures that need the true class of every image. Where one image has none,
# they are None: a figure of the other images would look like a figure of all.
# Known ACC is a mean over the images whose true class is a known one, so it
# stays.
NEED_EVERY_TRUTH = tuple(
  name
  for name in METRICS
  if name not in ('known_acc', 'mean_uncertainty')
  and not name.startswith('num_')
)

# Fields that only the evaluation of a checkpoint has, not the one after an
# epoch. docs/metrics.md documents each of them.
DETAILS_THAT_NEED_EVERY_TRUTH = (
  'macro_precision',
  'macro_f1',
  'known_novel_auroc',
  'reliability',
)
DETAILS = (*DETAILS_THAT_NEED_EVERY_TRUTH, 'intervals')

# The figures of degraded images, in a report that `eval.robustness` asked for.
ROBUSTNESS = 'robustness'

# What tables say in the place of a source, see `evaluation.verdicts`.
NONE_OF_THESE = 'none of these'

# What the run's temperature does to the confidence; None for runs without one.
CALIBRATION = 'calibration'
# The temperature that a failed fit ended with, and the expected accuracy; only
# where the fit failed.
FAILED_CALIBRATION = 'failed_calibration'
# The ends of the range of temperatures. Beyond these, all confidences are 1, or
# those of chance. A fit that stops at an end has failed.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.02, 50.0

# The names that the user gave to found clusters, by `novel-N`, in a report of
# an evaluation that used them.
GIVEN_NAMES = 'names'

# The version of the fields of `report.json`, as docs/metrics.md documents them,
# and the field that holds it. Reports of version 1 have no such field.
REPORT_VERSION_FIELD = 'report_version'
REPORT_VERSION = 2

# Metrics that may select a checkpoint (`eval.metric`): higher is better.
SELECTION_METRICS = METRICS[: METRICS.index('mean_uncertainty')]

# The number that selects the best checkpoint, among an evaluation's metrics.
SELECTION_SCORE = 'selection_score'

# How many outputs pruning left in use; None for a method that prunes none.
NUM_OUTPUTS_IN_USE = 'num_outputs_in_use'

# Columns of the result tables: the papers' seven, then the stricter accuracy
# of novel classes.
TABLE_COLUMNS = {
  'known_acc': 'Known ACC',
  'novel_acc': 'Novel ACC',
  'novel_nmi': 'Novel NMI',
  'novel_ari': 'Novel ARI',
  'all_acc': 'All ACC',
  'all_nmi': 'All NMI',
  'all_ari': 'All ARI',
  'new_acc': 'New ACC',
}

# The share of the images without a true class that got a novel output; None
# where every image has one.
HEAP_NOVEL_SHARE = 'heap_novel_share'

# The area under the ROC curve of telling images of sources that a run has not
# seen from the others, and the share of them that is rejected where 95 % of the
# others are kept; None without such images.
UNSEEN_AUROC = 'unseen_auroc'
UNSEEN_REJECTED = 'unseen_rejected_at_95'

# The figures of one verdict a group, in a report on images in groups.
GROUPS = 'groups'
# Begins the names of those figures among the metrics of an epoch.
OF_GROUPS = 'group_'

# What earlier versions called these fields in reports and in the metrics of
# checkpoints.
_OLD_NAMES = {
  'score': SELECTION_SCORE,
  'estimated_classes': NUM_OUTPUTS_IN_USE,
}


def with_current_names(fields: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a report, or a checkpoint's metrics, with current field names.

  Args:
    fields: the fields that this version or an earlier one wrote.
  """
  return {_OLD_NAMES.get(name, name): value for name, value in fields.items()}


def is_end_of_range(temperature: float) -> bool:
  """Returns whether the fit of a temperature stopped at an end of its range.

  Args:
    temperature: the fitted one.
  """
  ends = LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE
  return any(math.isclose(temperature, end, rel_tol=1e-6) for end in ends)


def main_figures(report: Mapping[str, Any]) -> Mapping[str, Any]:
  """Returns the figures that stand for a report or a result.

  They are those of one verdict a group where the images are in groups, and of
  the images themselves elsewhere.

  Args:
    report: the content of a `report.json`, or the metrics of an evaluation.
  """
  return report.get(GROUPS) or report


def current_report(report: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a report as this version would have written it.

  Earlier versions computed the figures of `NEED_EVERY_TRUTH` from the images
  that have a true class, and left the others out. Such figures become None, in
  the report and in its field `last`. A temperature at an end of its range was
  used before; it becomes one of a failed fit.

  Args:
    report: the content of a `report.json` of this version or an earlier one.
  """
  report = _without_failed_fit(with_current_names(report))
  if report.get(GROUPS):
    report[GROUPS] = _without_failed_fit(report[GROUPS])
  if 'num_without_truth' in report or 'num_examples' not in report:
    return report
  counted = sum(entry['count'] for entry in report.get('per_class') or ())
  missing = report['num_examples'] - counted
  last = report.get('last')
  if last:
    last = without_missing_truth(last, missing)
  return without_missing_truth(report, missing) | {'last': last}


def _without_failed_fit(fields: Mapping[str, Any]) -> dict[str, Any]:
  """Returns figures without the effect of a temperature of a failed fit."""
  section = fields.get(CALIBRATION)
  if not section or not is_end_of_range(section['temperature']):
    return {**fields}
  kept = {k: section[k] for k in ('temperature', 'expected_accuracy')}
  return {**fields, CALIBRATION: None, FAILED_CALIBRATION: kept}


def without_missing_truth(
  fields: Mapping[str, Any], num_without_truth: int
) -> dict[str, Any]:
  """Returns metrics in which those that need a missing truth are None.

  Args:
    fields: the metrics of an evaluation.
    num_without_truth: how many of its images have no true class.
  """
  fields = {**fields, 'num_without_truth': num_without_truth}
  if num_without_truth:
    fields |= {name: None for name in NEED_EVERY_TRUTH if name in fields}
  return fields
