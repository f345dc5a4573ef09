"""The split rules: exact shares, videos on one side, leaks counted."""

import collections

import numpy as np

from input_pipeline.benchmarks import split_rules
from input_pipeline.benchmarks.candidates import Candidate
from input_pipeline.benchmarks.owdfa_classes import OWDFA
from input_pipeline.benchmarks.picks import Pick
from input_pipeline.splits import released_split

REAL, FAKE = OWDFA[:2]  # of FaceForensics++
PICTURES = OWDFA[8]  # of ForgeryNIR


def pick(entry, number, video='', footage=(), tag=2):
  name = f'{entry.method}{video}{number}'
  image = Candidate(
    name, name, name, entry.dataset, video=video, footage=tuple(footage)
  )
  return Pick(image, entry, tag)


def benchmark(videos=20, frames=5):
  """Returns real videos, fakes made from pairs of them, and 50 pictures."""
  picks = []
  for v in range(videos):
    for i in range(frames):
      picks.append(pick(REAL, i, f'real{v}', [str(v)], tag=1 + i % 2))
      picks.append(pick(FAKE, i, f'fake{v}', [str(v), str(v ^ 1)]))
  return [*picks, *(pick(PICTURES, i) for i in range(50))]


def sides(picks):
  """Returns the splits that each recording appears in."""
  of_footage = collections.defaultdict(set)
  for each in picks:
    for name in each.image.footage:
      of_footage[name].add(each.split)
  return of_footage


def test_split_by_video_keeps_recordings_on_one_side_and_class_shares():
  picks = split_rules.split_by_video(benchmark(), seed=3)
  assert all(len(found) == 1 for found in sides(picks).values())
  assert split_rules.count_leaks(picks)[0] == 0
  for entry in REAL, FAKE, PICTURES:
    mine = [p.split for p in picks if p.entry == entry]
    assert mine.count('test') == len(mine) // 5


def test_split_by_video_depends_only_on_the_seed():
  first, again, other = (
    split_rules.split_by_video(benchmark(), seed=s) for s in (3, 3, 4)
  )
  assert first == again != other


def test_a_class_of_one_video_stays_in_training():
  picks = split_rules.split_by_video(
    [pick(FAKE, i, 'v', 'v') for i in range(9)], seed=0
  )
  assert {p.split for p in picks} == {'train'}


def test_split_stratified_has_exact_shares_of_each_tag():
  picks = split_rules.split_stratified(benchmark(), seed=3)
  for tag, size in (1, 60), (2, 40):
    mine = [p.split for p in picks if p.entry == REAL and p.tag == tag]
    assert len(mine) == size and mine.count('train') == size * 4 // 5


def test_split_as_released_is_the_rule_of_packing():
  picks = benchmark()
  labels = [{REAL: 0, FAKE: 1, PICTURES: 2}[p.entry] for p in picks]
  done = split_rules.split_as_released(picks, labels, seed=2000)
  train, _ = released_split(
    np.array(labels),
    np.array([p.tag for p in picks]),
    np.array([p.entry.dataset for p in picks], object),
  )
  assert {i for i, p in enumerate(done) if p.split == 'train'} == set(train)
  shared, total = split_rules.count_leaks(done)
  assert total == 50 and 0 < shared <= 40  # pictures have no video


def test_leaks_are_test_images_whose_video_has_training_images():
  rows = [
    ('a', 'train'), ('a', 'test'), ('a', 'test'), ('b', 'test'), ('', 'train'),
    ('', 'test'),
  ]  # fmt: skip
  picks = [
    Pick(pick(FAKE, i, video).image, FAKE, 2, side)
    for i, (video, side) in enumerate(rows)
  ]
  assert split_rules.count_leaks(picks) == (2, 4)
