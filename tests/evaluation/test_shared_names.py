"""Tables in which several outputs have one name."""

import numpy as np

from owdfa_jax.evaluation.groups import VerdictSums
from owdfa_jax.evaluation.heap import heap_lines, heap_summary
from owdfa_jax.evaluation.report import class_table

NAMES = ('a', 'X', 'novel-2', 'X')


def test_a_heap_counts_the_images_of_a_name():
  predicted = np.array([0, 1, 1, 3, 2, 2])
  confidence = np.array([1, 0.5, 0.5, 0.8, 0.6, 0.6])
  summary = heap_summary(predicted, confidence, NAMES, num_known=1)
  # The entries of the report are those of the outputs.
  assert len(summary['per_output']) == 4
  *_, header, first, second, third = heap_lines(summary).splitlines()
  assert header.split()[0] == 'output'
  assert first.split() == ['X', 'novel', '3', '50.00', '60.00']
  assert second.split() == ['novel-2', 'novel', '2', '33.33', '60.00']
  assert third.split() == ['a', 'known', '1', '16.67', '100.00']


def test_a_table_of_classes_takes_what_images_were_called():
  entry = {
    'name': 'b',
    'label': 1,
    'known': False,
    'count': 4,
    'accuracy': 0.5,
    'predicted': 1,
    'predicted_share': 0.5,
    'matched': 1,
  }
  line = class_table([entry], NAMES, called={1: ('X', 1.0)}).splitlines()[1]
  assert line.split() == ['b', 'novel', '4', '50.00', 'X', '100.00']
  line = class_table([entry], NAMES).splitlines()[1]
  assert line.split()[-2:] == ['X', '50.00']


def test_verdicts_of_groups_add_up():
  probability = np.array([[0.4, 0.3, 0.05, 0.25]])
  sums = VerdictSums(np.zeros(2, int))
  sums.add(np.array([0, 1]), np.log(np.repeat(probability, 2, 0)) / 2)
  first = np.array([0, 1, 2, 1])
  found = sums.columns([], 1, first_output=first)
  assert found['predicted'].tolist() == [0]
  assert found['source'].tolist() == [1]
  np.testing.assert_allclose(found['source_confidence'], [0.55], rtol=1e-6)
  assert 'source' not in sums.columns([], 1)
