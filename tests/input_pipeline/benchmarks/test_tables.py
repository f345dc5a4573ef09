"""The class tables: ids, counts, known classes, and a user's own table."""

import json

import pytest

from input_pipeline.benchmarks import aigc, tables, tables40
from input_pipeline.errors import UserError
from input_pipeline.simulate.classes import CLASSES

P2_KNOWN = (
  'Real Deepfakes DeepFaceLab Face2Face FOMM MaskGAN FaceAPP StyleGAN CycleGAN'
)
P2_NOVEL = (
  'Real FaceSwap FaceShifter FSGAN NeuralTextures ATVG-Net Talking-Head-Video '
  'StarGAN2 SC-FEGAN StarGAN StyleGAN2 PGGAN StyleGAN2'
)


def total(classes):
  return sum(sum(entry.images) for entry in classes)


def test_the_ids_of_protocol_2_are_these():
  classes = tables.protocol(2)
  assert [e.method for e in classes] == f'{P2_KNOWN} {P2_NOVEL}'.split()
  assert [e.known for e in classes] == [True] * 9 + [False] * 13
  assert classes[0].source == tables.FF and classes[9].source == tables.CELEB
  assert classes[19].source == tables.NET and classes[21].source == tables.NIR


def test_protocol_1_is_protocol_2_without_real_faces_as_released():
  ids_1 = {entry: label for label, entry in enumerate(tables.protocol(1))}
  for label, entry in enumerate(tables.protocol(2)):
    if entry.forgery_type != tables.REAL:
      assert ids_1[entry] == (label - 1 if label < 9 else label - 2)
  assert len(ids_1) == 20


def test_the_totals_are_those_of_the_published_figures():
  assert total(tables.protocol(1)) == 34000
  assert total(tables.protocol(2)) == 59000
  assert sum(e.images[0] for e in tables.protocol(2)) == 8 * 1500 + 15000


def test_the_simulated_benchmark_has_the_same_ids():
  for entry in CLASSES:
    ours = tables.protocol(2)[entry.label_2]
    assert (ours.method, ours.forgery_type) == (
      entry.method,
      entry.forgery_type,
    )
    if entry.label_1 is not None:
      assert tables.protocol(1)[entry.label_1] == ours


def test_the_shipped_aigc_table_is_marked_as_a_guess_throughout():
  extra = aigc.read(aigc.GUESS)
  assert len(extra) == 5 and all(entry.guess for entry in extra)
  assert len(tables.protocol(3, extra)) == 25
  classes = tables.protocol(4, extra)
  assert len(classes) == 27
  assert classes[:9] == tables.protocol(2)[:9]
  assert [e.known for e in classes] == sorted(
    [e.known for e in classes], reverse=True
  )


def test_a_table_of_ones_own_is_read(tmp_path):
  file = tmp_path / 'mine.json'
  entry = {'method': 'A', 'folder': 'a', 'labelled': 3, 'unlabelled': 1}
  novel = entry | {'method': 'B', 'labelled': 0, 'source': 'Mine'}
  file.write_text(json.dumps({'classes': [novel, entry]}))
  b, a = aigc.read(file)
  assert (a.known, a.source, a.images) == (True, tables.DF3, (3, 1))
  assert (b.known, b.source) == (False, 'Mine')
  classes = tables.protocol(4, (b, a))
  assert classes[9] == a and classes[-1] == b


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'method': None}, 'method=None: must be str'),
    ({'method': ''}, 'method is missing'),
    ({'labelled': True}, 'labelled=True: must be int'),
    ({'labelled': -1}, 'labelled=-1.*0 or more'),
    ({'labelled': 0, 'unlabelled': 0}, 'not both 0'),
    ({'folder': 'a\nb'}, 'control characters'),
    ({'forgery_type': 'Fake'}, 'use one of RealFace'),
    ({'colour': 'x'}, "no field 'colour'"),
    ({'method': 'FOMM', 'source': 'ForgeryNet'}, 'appears twice'),
  ],
)
def test_a_wrong_table_is_named(tmp_path, change, message):
  file = tmp_path / 'mine.json'
  entry = {'method': 'A', 'folder': 'a', 'labelled': 3, 'unlabelled': 1}
  file.write_text(json.dumps({'classes': [entry | change]}))
  with pytest.raises(UserError, match=message):
    aigc.read(file)


def test_a_file_that_is_no_table_is_named(tmp_path):
  file = tmp_path / 'mine.json'
  with pytest.raises(UserError, match='cannot read'):
    aigc.read(file)
  for text in '{', '[]', '{"classes": []}', '{"classes": [1]}':
    file.write_text(text)
    with pytest.raises(UserError, match='bad table'):
      aigc.read(file)


@pytest.mark.parametrize(
  ('number', 'known', 'labelled', 'unlabelled', 'test'),
  [
    (1, 19, 33600, 37600, 17800),
    (2, 13, 26400, 42400, 17200),
    (3, 29, 45600, 29600, 18800),
  ],
)
def test_owdfa40_has_the_published_counts(
  number, known, labelled, unlabelled, test
):
  classes = tables40.protocol(number)
  assert len(classes) == 41 and sum(e.known for e in classes) == known
  train = int(0.8 * total(classes))
  assert train == labelled + unlabelled and total(classes) - train == test
  assert 0.8 * sum(e.images[0] for e in classes) == labelled
  for part in classes[:known], classes[known:]:
    assert [int(e.folder) for e in part] == sorted(int(e.folder) for e in part)


def test_the_known_folders_of_owdfa40_are_these():
  def known(number):
    return [int(e.folder) for e in tables40.protocol(number) if e.known]

  first = [0, 1, 3, 6, 8, 11, 14, 17, 19, *range(21, 40, 2)]
  assert known(1) == first
  assert known(2) == [0, 1, 3, 6, 8, 11, 14, 21, 23, 25, 27, 29, 31]
  more = [5, 7, 10, 13, 18, 20, 24, 26, 36, 38]
  assert known(3) == sorted([*first, *more])
