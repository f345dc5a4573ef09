"""Splits of a benchmark: exact shares, videos kept whole, leaks counted."""

import collections

import numpy as np

from input_pipeline.benchmarks import split, tables
from input_pipeline.benchmarks.listing import Image
from input_pipeline.benchmarks.select import Pick
from input_pipeline.splits import released_split

REAL, FAKE = tables.OWDFA[0], tables.OWDFA[1]
ALONE = tables.OWDFA[8]


def pick(entry, number, video='', footage=(), tag=2):
  name = f'{entry.method}{video}{number}'
  image = Image(
    name, name, name, entry.source, video=video, footage=tuple(footage)
  )
  return Pick(image, entry, tag)


def faces(videos=20, frames=5):
  """Real videos and the fakes made of pairs of them; and single pictures."""
  picks = []
  for v in range(videos):
    for i in range(frames):
      picks.append(pick(REAL, i, f'real{v}', [str(v)], tag=1 + i % 2))
      picks.append(pick(FAKE, i, f'fake{v}', [str(v), str(v ^ 1)]))
  return [*picks, *(pick(ALONE, i) for i in range(50))]


def sides(picks):
  of_footage = collections.defaultdict(set)
  for each in picks:
    for name in each.image.footage:
      of_footage[name].add(each.split)
  return of_footage


def test_by_video_keeps_footage_on_one_side_and_the_share_of_each_class():
  picks = split.by_video(faces(), seed=3)
  assert all(len(found) == 1 for found in sides(picks).values())
  assert split.leaks(picks)[0] == 0
  for entry in REAL, FAKE, ALONE:
    mine = [p.split for p in picks if p.entry == entry]
    assert mine.count('test') == len(mine) // 5


def test_by_video_depends_on_the_seed_alone():
  first, again, other = (split.by_video(faces(), seed=s) for s in (3, 3, 4))
  assert first == again != other


def test_a_class_of_one_video_is_not_torn():
  picks = split.by_video([pick(FAKE, i, 'v', 'v') for i in range(9)], seed=0)
  assert {p.split for p in picks} == {'train'}


def test_stratified_has_exact_shares_of_each_tag():
  picks = split.stratified(faces(), seed=3)
  for tag, size in (1, 60), (2, 40):
    mine = [p.split for p in picks if p.entry == REAL and p.tag == tag]
    assert len(mine) == size and mine.count('train') == size * 4 // 5


def test_released_is_the_rule_of_packing():
  picks = faces()
  labels = [{REAL: 0, FAKE: 1, ALONE: 2}[p.entry] for p in picks]
  done = split.released(picks, labels, seed=2000)
  train, _ = released_split(
    np.array(labels),
    np.array([p.tag for p in picks]),
    np.array([p.entry.source for p in picks], object),
  )
  assert {i for i, p in enumerate(done) if p.split == 'train'} == set(train)
  shared, total = split.leaks(done)
  assert total == 50 and 0 < shared <= 40  # single pictures never count


def test_leaks_count_test_images_of_videos_that_train():
  rows = [
    ('a', 'train'), ('a', 'test'), ('a', 'test'), ('b', 'test'), ('', 'train'),
    ('', 'test'),
  ]  # fmt: skip
  picks = [
    Pick(pick(FAKE, i, video).image, FAKE, 2, side)
    for i, (video, side) in enumerate(rows)
  ]
  assert split.leaks(picks) == (2, 4)
