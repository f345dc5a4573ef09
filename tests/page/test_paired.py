"""Two runs on the same images: McNemar's test and the paired bootstrap."""

import numpy as np
import pytest

from helpers.page_runs import write_run
from owdfa_jax.page.paired import compare_right, compare_runs, no_test_because
from owdfa_jax.page.run_files import read_run
from owdfa_jax.page.verdicts import Verdicts
from owdfa_jax.page.write_page import write_page


def verdicts(source, output, image=None):
  count = len(source)
  return Verdicts(
    image=image or [f'{n}.png' for n in range(count)],
    row=np.arange(count),
    output=np.array(output),
    confidence=np.full(count, 0.5),
    source=source,
    name={},
    group=np.arange(count),
  )


def test_mcnemar_by_hand():
  """Of 6 images on which the runs differ, the second has 5 right."""
  first = np.array([True, False, False, False, False, False] + [True] * 10)
  second = np.array([False, True, True, True, True, True] + [True] * 10)
  found = compare_right(first, second)
  assert (found.only_first, found.only_second) == (1, 5)
  # Two-sided: of 6 fair coins, at most 1 or at least 5 heads.
  assert found.p_value == pytest.approx(2 * (1 + 6) / 2**6)
  assert found.low < found.accuracy[1] - found.accuracy[0] < found.high


def test_a_paired_interval_is_narrow_where_runs_agree():
  draws = np.random.default_rng(0)
  first = draws.random(1000) < 0.5
  second = first.copy()
  second[:20] = True
  found = compare_right(first, second)
  assert found.high - found.low < 0.02


def test_equal_runs_do_not_differ():
  right = np.array([True, False, True])
  found = compare_right(right, right)
  assert found.p_value == 1 and found.low == found.high == 0


def test_runs_are_compared_on_shared_images_under_their_own_matchings():
  source = ['a', 'a', 'b', 'b']
  first = verdicts(source, [0, 0, 1, 1])
  second = verdicts(
    ['b', 'a', 'b'], [7, 3, 3], image=['3.png', '0.png', '2.png']
  )
  found = compare_runs(first, second)
  assert found.num_shared == 3
  assert found.accuracy == (1, pytest.approx(2 / 3))


@pytest.mark.parametrize(
  'source, image, why',
  [
    (['a', 'b'], ['x.png', 'y.png'], 'share no test images'),
    (['a', ''], ['0.png', '1.png'], '1 of the 2 images of both have no true'),
    (['b', 'b'], ['0.png', '1.png'], '1 of the 2 images of both have two true'),
  ],
)
def test_runs_without_shared_truth_are_not_compared(source, image, why):
  first, second = verdicts(['a', 'b'], [0, 1]), verdicts(source, [0, 1], image)
  assert compare_runs(first, second) is None
  assert why in no_test_because(first, second, 'images')
  assert no_test_because(first, first, 'images') == ''


def test_the_page_says_why_two_runs_are_not_tested(tmp_path):
  for name in ('mine', 'other'):
    write_run(tmp_path / name, heap=True)
  run, other = read_run(tmp_path / 'mine'), read_run(tmp_path / 'other')
  page = write_page(run, run.workdir, other=other, dataset=None).read_text()
  why = 'There is no paired test: 24 of the 48 images of both have no true'
  assert why in ' '.join(page.split())
