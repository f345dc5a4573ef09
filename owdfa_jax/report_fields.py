"""Names of the numbers in a report, without jax and sklearn.

Settings are checked against these names before anything slow is imported.
"""

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
)

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

# What earlier versions called these fields in reports and in the metrics of
# checkpoints.
_OLD_NAMES = {
  'score': SELECTION_SCORE,
  'estimated_classes': NUM_OUTPUTS_IN_USE,
}


def with_current_names(fields: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a report, or a checkpoint's metrics, with the fields' names now.

  Args:
    fields: what this version or an earlier one wrote.
  """
  return {_OLD_NAMES.get(name, name): value for name, value in fields.items()}
