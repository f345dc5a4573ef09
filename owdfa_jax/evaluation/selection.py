"""Decides what selects the best checkpoint of a run.

`eval.selection` and `eval.metric` ask for a metric on some images. On a heap,
images without a true class, most metrics are not available. This module decides
which score replaces them.
"""

import dataclasses
import enum

import numpy as np

from input_pipeline.dataset import PackedDataset
from owdfa_jax.report_fields import NEED_EVERY_TRUTH

# The most training images that are evaluated if a heap has no test images.
MOST_HEAP_ROWS = 2048
# `SelectionRule.text` where no score selects.
LAST_EPOCH = 'nothing: the last epoch counts'


class Basis(enum.Enum):
  """What the selection score of a run is.

  Attributes:
    METRIC: `eval.metric` on the images that `eval.selection` names.
    HEAP: `combined_score` of the labelled images and the heap.
    LAST: the step, so that the last evaluation is the best.
  """

  METRIC = 'metric'
  HEAP = 'heap'
  LAST = 'last'


@dataclasses.dataclass(frozen=True)
class SelectionRule:
  """The score that selects the best checkpoint of a run.

  Attributes:
    basis: the kind of score.
    reason: why it is not the score that the settings ask for; '' if it is.
    text: describes the score after the words "selected by".
  """

  basis: Basis
  reason: str
  text: str


def selection_rule(
  dataset: PackedDataset, selection: str, metric: str
) -> SelectionRule:
  """Returns the score that selects the best checkpoint.

  It depends on the settings and the data only, so that an evaluation can name
  the score afterwards.

  Args:
    dataset: the run's data.
    selection: `eval.selection`.
    metric: `eval.metric`.
  """
  if selection == 'last':
    return SelectionRule(Basis.LAST, '', LAST_EPOCH)
  if reason := _not_available(dataset, selection, metric):
    basis = Basis.HEAP if is_heap(dataset) else Basis.LAST
    text = LAST_EPOCH
    if basis is Basis.HEAP:
      known = selection == 'validation' or _has_known_tests(dataset)
      part = f'Known ACC on {selection} images and ' if known else ''
      text = f'{part}the score of the heap'
    return SelectionRule(basis, reason, text)
  return SelectionRule(Basis.METRIC, '', f'{metric} on {selection} images')


def describe_best(selected_by: str) -> str:
  """Returns what the best checkpoint of a run is, for a line of text.

  Args:
    selected_by: `SelectionRule.text`.
  """
  if selected_by == LAST_EPOCH:
    return 'the last epoch, none is selected'
  return f'best, selected by {selected_by}'


def is_heap(dataset: PackedDataset) -> bool:
  """Returns whether some images of a dataset have no true class."""
  return not dataset.novel_count_known or bool((dataset.test.label < 0).any())


def _not_available(dataset: PackedDataset, selection: str, metric: str) -> str:
  """Returns why a metric cannot select; '' if it can."""
  label = dataset.test.label
  if selection == 'validation':
    # Held-out images are labelled, so all are of known classes.
    if metric.startswith('novel') or metric == 'new_acc':
      return 'all validation images are of known classes'
    if is_heap(dataset) and metric in NEED_EVERY_TRUTH:
      return 'no validation image is of the heap'
    return ''
  if metric == 'known_acc' or metric.startswith('known'):
    if not _has_known_tests(dataset):
      return 'no test image has a known class as its true class'
  if metric not in NEED_EVERY_TRUTH:
    return ''
  if missing := int((label < 0).sum()):
    return f'{missing} of {len(label)} test images have no true class'
  if not (label >= dataset.num_known).any():
    if metric.startswith('novel') or metric == 'new_acc':
      return 'no test image has a novel class as its true class'
    if not dataset.novel_count_known:
      return 'no test image is of the heap'
  return ''


def _has_known_tests(dataset: PackedDataset) -> bool:
  """Returns whether a test image is known to be of a known class."""
  label = dataset.test.label
  return bool(((label >= 0) & (label < dataset.num_known)).any())


def heap_rows(dataset: PackedDataset, seed: int) -> np.ndarray:
  """Returns the training images to evaluate if a heap has no test images.

  Args:
    dataset: the run's data.
    seed: the run's seed.

  Returns:
    int [N], rows of the training split without a true class: all of them, or
    `MOST_HEAP_ROWS` drawn by the seed.
  """
  rows = np.flatnonzero(dataset.train.label < 0)
  if len(rows) > MOST_HEAP_ROWS:
    draws = np.random.RandomState(seed)
    rows = np.sort(draws.permutation(rows)[:MOST_HEAP_ROWS])
  return rows


def combined_score(
  known_acc: float | None, num_known: int, heap_score: float, num_heap: int
) -> float:
  """Returns the selection score on a heap, in [1, 2].

  It is 1 plus the mean of the labelled images' accuracy and the heap's score,
  weighted by their numbers of images. The 1 puts it above the scores that
  earlier versions gave to epochs of the same run: those are at most 1, and were
  computed from the images with a true class only.

  Args:
    known_acc: the accuracy on labelled images that are not trained on, or None
      where there are none.
    num_known: the number of these labelled images.
    heap_score: `heap.heap_score` of images without a true class.
    num_heap: the number of these images, at least 1.
  """
  if known_acc is None:
    return 1 + heap_score
  total = num_known + num_heap
  return 1 + (num_known * known_acc + num_heap * heap_score) / total
