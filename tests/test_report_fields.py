"""Reports of this version and of earlier ones."""

import pytest

from owdfa_jax.report_fields import (
  NEED_EVERY_TRUTH,
  TABLE_COLUMNS,
  current_report,
)


def old_report(num_examples):
  """Returns a report as version 0.1 wrote it: 10 images with a true class."""
  return {
    **dict.fromkeys(TABLE_COLUMNS, 0.983),
    'num_examples': num_examples,
    'estimated_classes': 12,
    'per_class': [{'count': 6}, {'count': 4}],
    'last': {'score': 0.9, 'all_acc': 0.98, 'known_acc': 0.97},
  }


def test_figures_of_the_known_images_alone_are_not_available():
  found = current_report(old_report(40))
  assert found['num_without_truth'] == 30
  for name in TABLE_COLUMNS:
    expected = None if name in NEED_EVERY_TRUTH else 0.983
    assert found[name] == expected, name
  assert found['last']['all_acc'] is None
  assert found['last']['known_acc'] == 0.97


def test_report_of_images_with_true_classes_keeps_its_figures():
  found = current_report(old_report(10))
  assert found['num_without_truth'] == 0
  assert {found[name] for name in TABLE_COLUMNS} == {0.983}
  assert found['last']['all_acc'] == 0.98
  assert found['num_outputs_in_use'] == 12


@pytest.mark.parametrize('last', [None, {}])
def test_report_without_last_metrics_is_read(last):
  found = current_report(old_report(40) | {'last': last})
  assert found['last'] == last and found['all_acc'] is None


def test_report_of_this_version_is_unchanged():
  report = {'num_examples': 5, 'num_without_truth': 0, 'all_acc': 0.5}
  assert current_report(report) == report
