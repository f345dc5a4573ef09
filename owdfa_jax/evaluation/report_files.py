"""Names of the files that an evaluation writes into the workdir."""

import os

REPORT_FILE = 'report.json'
ATTRIBUTIONS_FILE = 'attributions.csv'
# A line for each group, where images are in groups.
GROUP_ATTRIBUTIONS_FILE = 'group_attributions.csv'
NEW_ATTRIBUTIONS_FILE = 'new_attributions.csv'
# Of the images without a label that `owdfa discover` trained with.
HEAP_ATTRIBUTIONS_FILE = 'heap_attributions.csv'
# What that table was made by.
HEAP_RECORD_FILE = 'heap_attributions.json'


def split_file(name: str, split: str) -> str:
  """Returns a file's name for a split, such as 'report_train.json'.

  The test split has the plain name, so that evaluating another split does not
  overwrite the report of the test split.

  Args:
    name: the plain name, such as 'report.json'.
    split: one of `setting_checks.EVAL_SPLITS`.
  """
  stem, suffix = os.path.splitext(name)
  return name if split == 'test' else f'{stem}_{split}{suffix}'
