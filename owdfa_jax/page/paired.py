"""Compares two runs on the same test images.

References:
  McNemar, "Note on the sampling error of the difference between correlated
  proportions or percentages", 1947 (here with exact probabilities).
"""

import collections
import dataclasses

import numpy as np

from owdfa_jax.evaluation.metrics import best_matching
from owdfa_jax.evaluation.resampling import LEVEL, draw_weights
from owdfa_jax.page.verdicts import Verdicts

_NUM_DRAWS = 2000
_SEED = 0


@dataclasses.dataclass(frozen=True)
class PairedResult:
  """How two runs differ on the images that both have answers for.

  Attributes:
    num_shared: how many images, or groups, that are.
    accuracy: of the first and the second run, each under its own matching.
    only_first: how many only the first run has right.
    only_second: how many only the second run has right.
    p_value: of McNemar's exact test, two-sided: how likely a split of
      `only_first` and `only_second` at least as uneven is if both runs are as
      good.
    low: the lower end of the paired bootstrap interval of the difference in
      accuracy, second less first.
    high: its upper end.
  """

  num_shared: int
  accuracy: tuple[float, float]
  only_first: int
  only_second: int
  p_value: float
  low: float
  high: float


def compare_runs(first: Verdicts, second: Verdicts) -> PairedResult | None:
  """Compares the answers of two runs for the images they share.

  Args:
    first: of one run.
    second: of another run.

  Returns:
    None where `no_test_because` says why.
  """
  if no_test_because(first, second, ''):
    return None
  rows = _shared_rows(first, second)
  source = [first.source[n] for n in rows[0]]
  label = np.unique(source, return_inverse=True)[1]
  right = []
  for verdicts, row in zip((first, second), rows, strict=True):
    output = np.unique(verdicts.output[row], return_inverse=True)[1]
    right.append(best_matching(label, output)[output] == label)
  return compare_right(*right)


def no_test_because(first: Verdicts, second: Verdicts, counted: str) -> str:
  """Returns why two runs cannot be compared image by image; '' if they can.

  Args:
    first: of one run.
    second: of another run.
    counted: what their answers are for: 'images' or 'groups'.
  """
  rows = _shared_rows(first, second)
  count = len(rows[0])
  if not count:
    return f'the runs share no test {counted}'
  pairs = [
    (first.source[n], second.source[m]) for n, m in zip(*rows, strict=True)
  ]
  if unknown := sum('' in pair for pair in pairs):
    return f'{unknown} of the {count} {counted} of both have no true source'
  if other := sum(one != two for one, two in pairs):
    return f'{other} of the {count} {counted} of both have two true sources'
  return ''


def _shared_rows(first: Verdicts, second: Verdicts) -> list[np.ndarray]:
  """Returns the places of the shared images in both runs, int [N] each."""
  places = [_places(x.image) for x in (first, second)]
  shared = [name for name in places[0] if name in places[1]]
  return [np.array([place[x] for x in shared], int) for place in places]


def _places(image: list[str]) -> dict[str, int]:
  """Returns where images are; those with a path of several are left out."""
  count = collections.Counter(image)
  return {name: n for n, name in enumerate(image) if count[name] == 1}


def compare_right(first: np.ndarray, second: np.ndarray) -> PairedResult:
  """Returns the paired tests of which images two runs have right.

  Args:
    first: bool [N], N at least 1.
    second: bool [N], for the same images.
  """
  from scipy.stats import binomtest

  only_first = int((first & ~second).sum())
  only_second = int((second & ~first).sum())
  differ = only_first + only_second
  p_value = binomtest(only_first, differ).pvalue if differ else 1.0
  difference = second.astype(np.float64) - first
  weight = draw_weights(
    np.random.default_rng(_SEED),
    len(first),
    max(1, min(_NUM_DRAWS, 20_000_000 // len(first))),
  )
  tail = (1 - LEVEL) / 2
  low, high = np.quantile(weight @ difference / len(first), [tail, 1 - tail])
  return PairedResult(
    num_shared=len(first),
    accuracy=(float(first.mean()), float(second.mean())),
    only_first=only_first,
    only_second=only_second,
    p_value=float(p_value),
    low=float(low),
    high=float(high),
  )
