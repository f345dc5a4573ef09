"""Whether images differ from those of the training, by a report."""

import pytest

from owdfa_jax.evaluation.unlike_training import (
  tells_the_share,
  unlike_training,
)
from owdfa_jax.evaluation.unseen_report import unseen_lines


def report_of(share, count=1000, rate=0.05, **fields):
  section = {
    'none_of_these': share,
    'false_alarm_rate': rate,
    'threshold_set_on': 'unlabelled training images',
    **fields,
  }
  return {'num_examples': count, 'unseen': section}


@pytest.mark.parametrize(
  ('share', 'count', 'rate', 'differs'),
  [
    (0.2, 1000, 0.05, True),
    (0.09, 1000, 0.05, False),
    # Three of twelve may be chance.
    (0.25, 12, 0.05, False),
    (0.5, 12, 0.05, True),
    (0.001, 1000, 0.0, False),
    (0.01, 1000, 0.0, True),
  ],
)
def test_images_that_differ_are_said_to(share, count, rate, differs):
  sentence = unlike_training(report_of(share, count, rate))
  assert bool(sentence) == differs
  if differs:
    assert f'{100 * share:.2f} % of them are called none of these' in sentence
    assert f'where {100 * rate:g} % are asked for' in sentence


def test_verdicts_of_groups_count():
  report = report_of(0.25) | {'groups': {'num_examples': 12}}
  assert not unlike_training(report)


def test_a_threshold_of_test_images_says_nothing():
  report = report_of(0.5, threshold_set_on='test images')
  assert not tells_the_share(report) and not unlike_training(report)
  del report['unseen']['threshold_set_on']
  assert not tells_the_share(report)
  assert not tells_the_share({}) and not unlike_training({})
  assert tells_the_share(report_of(0.5))


@pytest.mark.parametrize('split', ['test', 'train', 'unlabelled'])
def test_the_printed_share_of_training_images_is_said_to_be_too_low(split):
  report = report_of(0.0, threshold=1.5, num_threshold=90) | {
    'unseen_auroc': None,
    'split': split,
  }
  (line,) = unseen_lines(report)
  assert ('images (too few: the run has trained' in line) == (split != 'test')


def test_the_printed_report_says_so():
  report = report_of(0.2, threshold=1.5, num_threshold=90) | {
    'unseen_auroc': None
  }
  _, last = unseen_lines(report)
  assert last == unlike_training(report) != ''
