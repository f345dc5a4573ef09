"""The summary of images without a true class."""

import json

import numpy as np
import pytest

from owdfa_jax.evaluation.heap import heap_lines, heap_score, heap_summary

NAMES = ['a', 'b', 'novel-2', 'novel-3', 'novel-4']


def summarise(*counts, confidence=0.8, names=NAMES, **changes):
  """Returns the summary of a heap with so many images for each output."""
  predicted = np.repeat(np.arange(len(counts)), counts)
  return heap_summary(
    predicted,
    np.full(len(predicted), confidence, np.float32),
    names,
    2,
    **changes,
  )


def test_summary_by_hand():
  found = heap_summary(
    np.array([3, 0, 3, 2]), np.array([0.9, 0.4, 0.7, 0.2]), NAMES, 2
  )
  assert found['num_images'] == 4
  assert (found['num_outputs'], found['num_novel_outputs']) == (5, 3)
  assert found['num_outputs_given'] == 3
  assert found['num_novel_outputs_given'] == 2
  assert found['novel_share'] == 0.75
  assert found['mean_confidence'] == pytest.approx(0.55)
  assert found['median_confidence'] == pytest.approx(0.55)
  assert found['chance_confidence'] == 0.2
  assert found['low_confidence_share'] == 0.5
  assert [entry['name'] for entry in found['per_output']] == [
    'novel-3',
    'a',
    'novel-2',
  ]
  assert found['per_output'][0] == {
    'output': 3,
    'name': 'novel-3',
    'known': False,
    'count': 2,
    'share': 0.5,
    'mean_confidence': pytest.approx(0.8),
  }
  # Too few images for a warning.
  assert found['warnings'] == []
  json.dumps(found, allow_nan=False)


def test_a_heap_divided_among_outputs_has_no_warning():
  assert summarise(20, 20, 20, 20, 20)['warnings'] == []
  # At the limit: one image in twenty.
  assert summarise(50, 45, 5)['warnings'] == []


def test_next_to_nothing_novel_is_a_warning():
  (line,) = summarise(250, 148, 2)['warnings']
  assert line.startswith('2 of 400 images without a true class got a')


def novel_class(count, novel_share):
  return {'known': False, 'count': count, 'novel_share': novel_share}


def test_novel_classes_decide_why_next_to_nothing_is_called_novel():
  known = {'known': True, 'count': 50, 'novel_share': 1.0}
  per_class = [known, novel_class(30, 0.0), novel_class(10, 0.1)]
  (line,) = summarise(250, 148, 2, per_class=per_class)['warnings']
  assert line == (
    '2 of 400 images without a true class got a novel output, and 1 of 40 '
    'images of novel classes did: the network calls novel sources by the names '
    'of known classes; do not rely on these names'
  )
  # Two of forty reach the limit, and then both causes are possible.
  per_class = [known, novel_class(30, 0.0), novel_class(10, 0.2)]
  (line,) = summarise(250, 148, 2, per_class=per_class)['warnings']
  assert 'either they hold next to no novel source, or the network' in line
  # Known classes alone decide nothing.
  (line,) = summarise(250, 148, 2, per_class=[known])['warnings']
  assert 'either they hold next to no novel source, or the network' in line


def test_outputs_with_a_confidence_near_chance_are_a_warning():
  predicted = np.repeat([0, 1, 2, 3], 10)
  confidence = np.repeat([0.9, 0.29, 0.21, 0.27], 10)
  (line,) = heap_summary(predicted, confidence, NAMES, 2)['warnings']
  # A tenth of the way from 1/5 to 1 is 0.28.
  assert line.startswith(
    'mean confidence near chance (20.00 % with 5 outputs):'
  )
  assert 'novel-2 (21.00 %), novel-3 (27.00 %); images' in line
  assert heap_summary(predicted, confidence + 0.08, NAMES, 2)['warnings'] == []


def test_nearly_everything_in_one_output_is_a_warning():
  (line,) = summarise(5, 0, 95)['warnings']
  assert line.startswith('novel-2 got 95 of 100 images without a true class')
  assert len(summarise(97, 3)['warnings']) == 2


def test_one_novel_output_for_nearly_all_novel_images_is_a_warning():
  (line,) = summarise(50, 10, 38, 2)['warnings']
  assert line.startswith('novel-2 got 38 of the 40 images with a novel output')


def test_a_network_without_novel_outputs_is_a_warning():
  (line,) = summarise(30, 20, names=NAMES[:2])['warnings']
  assert line.startswith('the network has no novel output')


def test_pruned_outputs_do_not_count():
  found = summarise(20, 20, 20, num_outputs=3)
  assert (found['num_outputs'], found['num_novel_outputs']) == (3, 1)
  # Pruning must not change the scale of the score.
  assert found['score'] == summarise(20, 20, 20)['score']
  # The only novel output there is may get all novel images.
  assert found['warnings'] == []


def test_lines_show_every_output_and_the_warnings():
  found = summarise(250, 148, 2)
  first, second, score, warning, blank, _, *rows = heap_lines(
    found
  ).splitlines()
  assert (
    'the heap, 400 images without a true class: 0.50 % got a novel' in first
  )
  assert 'they got 3 of 5 outputs, 1 of 3 novel ones' in first
  assert second == (
    'confidence: mean 80.00 %, median 80.00 %, by chance 20.00 %; below 50 % '
    'for 0.00 % of the images'
  )
  assert score.startswith(
    f'score of the heap: {100 * found["score"]:.2f} % (evenness of the outputs'
  )
  assert warning == f'warning: {found["warnings"][0]}' and not blank
  assert [line.split()[0] for line in rows] == ['a', 'b', 'novel-2']
  assert rows[0].split() == 'a known 250 62.50 80.00'.split()


def test_score_is_evenness_times_confidence():
  predicted = np.repeat(np.arange(4), 5)
  assert heap_score(predicted, np.ones(20), 4) == pytest.approx(1)
  assert heap_score(predicted, np.full(20, 0.5), 4) == pytest.approx(0.5)
  assert str(heap_score(np.zeros(20, int), np.ones(20), 4)) == '0.0'  # not -0
  # Four of sixteen outputs: half of the largest entropy.
  assert heap_score(predicted, np.ones(20), 16) == pytest.approx(0.5)
  assert heap_score(np.zeros(20, int), np.ones(20), 4) == 0
  assert heap_score(np.zeros(20, int), np.ones(20), 1) == 0
