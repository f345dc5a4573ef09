"""What becomes of the probabilities of an image."""

import numpy as np
import pytest

from input_pipeline.image_folders import FolderScan
from owdfa_jax.inference.answer_rule import AnswerRule
from owdfa_jax.inference.summary import Summary

RULE = AnswerRule(('a', 'b', 'novel-2'), 2, (), threshold=1.0)
PROBABILITY = np.array([0.1, 0.7, 0.2])


def answers(*scores):
  fields = [{'image': 'x', 'side': 9} for _ in scores]
  probability = np.tile(PROBABILITY, (len(scores), 1))
  return RULE.answers(probability, np.float32(scores), None, fields)


@pytest.mark.parametrize(
  'score, expected',
  [
    (0.5, ('known', 'b', 0.7, 'novel-2', 0.2)),
    # Neither the probability of b, nor that of an image of no source.
    (1.5, ('none of these', 'none of these', None, 'b', 0.7)),
  ],
)
def test_the_confidence_is_that_of_the_source(score, expected):
  (found,) = answers(score)
  verdict, source, confidence, second, second_confidence = expected
  assert (found.verdict, found.source) == (verdict, source)
  assert found.confidence == pytest.approx(confidence)
  assert found.second_choice == second and found.output == 1
  assert found.second_confidence == pytest.approx(second_confidence)


def test_a_summary_has_no_confidence_of_none_of_these():
  summary = Summary(FolderScan(), RULE.names, 2)
  for score in 0.5, 1.5:
    (answer,) = answers(score)
    summary.count(answer.columns() | {'side': 9})
  lines = [line.split() for line in summary.text('out.csv').splitlines()]
  assert ['1', 'b', '70.00', '0'] in lines
  assert ['1', 'none', 'of', 'these', '0'] in lines
