"""What is printed about many answers: the table, its counts and warnings."""

import pytest

from input_pipeline.image_folders import FolderScan
from owdfa_jax.inference.summary import Summary

NAMES = ('camera', 'novel-1', 'novel-2')
DATA = {'made': {}}
PART = {'frame': None, 'face': None}


def answer(verdict, output=1, source=None, stability=None, sure=0.9):
  """The columns of an answer that are counted."""
  none = 'none of these' in (verdict, source)
  return {
    'image': 'a.png',
    'verdict': verdict,
    'source': 'none of these' if none else NAMES[output],
    'confidence': None if none else sure,
    'output': output,
    'stability': stability,
    'side': 64,
    **PART,
  }


def summary_of(*rows, others=()):
  scan = FolderScan(others=dict.fromkeys(others, 'text, not an image'))
  summary = Summary(scan, NAMES, 1)
  for row in rows:
    summary.count(row)
  return summary


def column(text):
  """The counts of inconclusive images, by source."""
  rows = [line.split() for line in text.splitlines()[1:]]
  return {' '.join(x[1:-1]): x[-1] for x in rows if x[0].isdigit()}


def test_inconclusive_images_of_no_source_are_in_the_table():
  text = summary_of(
    *[answer('none of these')] * 2,
    answer('inconclusive', source='none of these', stability=0.0),
    answer('inconclusive', sure=0.4),
    answer('found'),
  ).text('out.csv')
  found = column(text)
  assert found['none of these'] == '1' and 'verdicts: 2 none' in text
  assert sum(map(int, [x for x in found.values() if x.isdigit()])) == 2
  assert '2 inconclusive' in text


def test_a_file_that_is_no_image_is_counted():
  summary = summary_of(
    answer('found'),
    {'image': 'b.txt', 'source': None, **PART},
    others=['b.txt'],
  )
  assert '     1  (no image)' in summary.text('out.csv')
  assert not summary.errors


@pytest.mark.parametrize(('unstable', 'said'), [(2, False), (3, True)])
def test_most_images_are_not_stable(unstable, said):
  rows = [answer('inconclusive', stability=0.0)] * unstable
  rows += [answer('found', stability=1.0)] * (4 - unstable)
  lines = summary_of(*rows).warnings(DATA)
  assert any('3 of 4 images are not stable' in x for x in lines) == said


def test_outputs_that_no_verdict_uses_are_not_warned_of():
  nothing = [answer('none of these')] * 40
  unsure = [answer('inconclusive')] * 40
  assert not summary_of(*nothing, *unsure).warnings(DATA)
  known = [answer('known', output=0)] * 40
  (line,) = summary_of(*known, *[answer('found')] * 30).warnings(DATA)
  assert 'novel-1 got 30 of the 30 images with a novel output' in line


def test_confidence_near_chance_is_warned_of_whatever_the_verdict():
  (line,) = summary_of(*[answer('inconclusive', sure=0.35)] * 40).warnings(DATA)
  assert 'near chance' in line and 'novel-1' in line
