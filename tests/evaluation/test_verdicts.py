"""The verdict on an image, from a network's numbers."""

import pytest

from owdfa_jax.evaluation.verdicts import verdict_of


@pytest.mark.parametrize(
  ('output', 'confidence', 'score', 'threshold', 'verdict'),
  [
    (1, 0.9, None, None, 'known'),
    (2, 0.9, None, None, 'found'),
    (1, 0.4, None, None, 'inconclusive'),
    (1, 0.5, 3.0, None, 'known'),
    (1, 0.9, 3.0, 2.9, 'none of these'),
    (2, 0.4, 3.0, 2.9, 'none of these'),
    (2, 0.9, 3.0, 3.0, 'found'),
    (1, 0.4, 2.0, 3.0, 'inconclusive'),
    (0, 0.9, -0.5, 0.0, 'known'),
  ],
)
def test_verdict(output, confidence, score, threshold, verdict):
  assert verdict_of(output, confidence, 2, score, threshold) == verdict
