"""Tests of the share of views with the same source."""

import pytest

from owdfa_jax.inference.answers import Answer
from owdfa_jax.inference.batch_answers import with_stability


def test_stability_is_the_share_of_views_with_the_same_source():
  answers = [Answer(x, 'known', 'a') for x in 'pqr']
  views = [
    [Answer('p', 'found', source), Answer('q', 'known', 'a'), Answer('r')]
    for source in 'aab'
  ]
  found = with_stability([*answers[:2], Answer('r', error='bad')], views)
  assert [x.stability for x in found] == [pytest.approx(2 / 3), 1, None]
  assert [x.verdict for x in found] == ['inconclusive', 'known', None]
