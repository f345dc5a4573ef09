"""What a network's numbers say of an image, in one word."""

from typing import Literal, TypeAlias

from owdfa_jax.evaluation.heap import LOW_CONFIDENCE
from owdfa_jax.report_fields import NONE_OF_THESE

Verdict: TypeAlias = Literal['known', 'found', 'none of these', 'inconclusive']


def verdict_of(
  output: int,
  confidence: float,
  num_known: int,
  unseen_score: float | None,
  threshold: float | None,
) -> Verdict:
  """Returns the verdict on an image, or on a group of them.

  Args:
    output: the number of the most probable output.
    confidence: its probability.
    num_known: the number of known classes, which come first.
    unseen_score: how little the image is like any source; None without.
    threshold: the score above which it is of none of them; None without.

  Returns:
    'none of these': `unseen_score` is above the threshold. Else 'inconclusive':
    the other sources together are more probable. Else 'known' or 'found', by
    whether the output is a known class.
  """
  has_both = unseen_score is not None and threshold is not None
  if has_both and unseen_score > threshold:
    return NONE_OF_THESE
  if confidence < LOW_CONFIDENCE:
    return 'inconclusive'
  return 'known' if output < num_known else 'found'
