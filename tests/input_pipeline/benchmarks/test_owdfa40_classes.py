"""The class table of OWDFA-40: counts and known classes as published."""

import pytest

from input_pipeline.benchmarks.owdfa40_classes import owdfa40_protocol


@pytest.mark.parametrize(
  ('number', 'known', 'labelled', 'unlabelled', 'test'),
  [
    (1, 19, 33600, 37600, 17800),
    (2, 13, 26400, 42400, 17200),
    (3, 29, 45600, 29600, 18800),
  ],
)
def test_each_protocol_has_the_published_counts(
  number, known, labelled, unlabelled, test
):
  classes = owdfa40_protocol(number)
  assert len(classes) == 41 and sum(e.known for e in classes) == known
  train = int(0.8 * sum(sum(entry.counts) for entry in classes))
  assert (
    train == labelled + unlabelled
    and sum(sum(entry.counts) for entry in classes) - train == test
  )
  assert 0.8 * sum(e.counts[0] for e in classes) == labelled
  for part in classes[:known], classes[known:]:
    assert [int(e.folder) for e in part] == sorted(int(e.folder) for e in part)


def test_these_folders_are_known_in_each_protocol():
  def known(number):
    return [int(e.folder) for e in owdfa40_protocol(number) if e.known]

  first = [0, 1, 3, 6, 8, 11, 14, 17, 19, *range(21, 40, 2)]
  assert known(1) == first
  assert known(2) == [0, 1, 3, 6, 8, 11, 14, 21, 23, 25, 27, 29, 31]
  more = [5, 7, 10, 13, 18, 20, 24, 26, 36, 38]
  assert known(3) == sorted([*first, *more])
