"""The summary of a packing, and the duplicates in it."""

import shutil

from helpers.imagesets import meta_row, write_set
from input_pipeline import meta, pack, summary

SMALL = pack.Options(size=16)


def test_duplicates_are_reported_and_kept(tmp_path, capsys):
  csv = write_set(tmp_path)
  rows = [
    meta_row(label, n, tag=1 if label < 2 else 2)
    | {'split': 'test' if n < 3 else 'train'}
    for label in range(3)
    for n in range(10)
  ]
  meta.write_meta(csv, rows)
  # Two classes, and within one class training and test.
  shutil.copy(tmp_path / '0' / '4.png', tmp_path / '1' / '5.png')
  shutil.copy(tmp_path / '2' / '0.png', tmp_path / '2' / '9.png')
  # Within one class and one split: not reported.
  shutil.copy(tmp_path / '1' / '7.png', tmp_path / '1' / '8.png')
  opened = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert len(opened.train) + len(opened.test) == 30
  assert opened.description['duplicates'] == {
    'in_two_classes': {'groups': 1, 'examples': [['0/4.png', '1/5.png']]},
    'in_training_and_test': {
      'groups': 1,
      'examples': [['2/0.png', '2/9.png']],
    },
  }
  lines = capsys.readouterr().out.splitlines()
  where = lines.index('the same image in two classes: 1, such as')
  assert lines[where + 1] == '  0/4.png = 1/5.png'
  assert 'the same image in training and test: 1, such as' in lines


def test_images_of_unknown_class_contradict_no_class(tmp_path):
  csv = write_set(tmp_path, novel=1)
  rows = [meta_row(l, n, tag=1) for l in (0, 1) for n in range(10)]
  unknown = [
    meta_row(-1, n, path=f'2/{n}.png', method='', face_type=-1)
    for n in range(10)
  ]
  meta.write_meta(csv, rows + unknown)
  for n in range(10):
    shutil.copy(tmp_path / '0' / f'{n}.png', tmp_path / '2' / f'{n}.png')
  opened = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert opened.description['duplicates']['in_two_classes']['groups'] == 0


def counts(*numbers):
  names = ('labelled', 'unlabelled', 'test', 'skipped', 'no_face')
  return dict(zip(names, numbers, strict=False))


def a_description(*per_class, unknown):
  return {
    'classes': [
      {'name': f'm{i}', 'known': i == 0, 'counts': counts}
      for i, counts in enumerate(per_class)
    ],
    'truth_unknown': unknown,
    'skipped': [{'id': 'a.png', 'why': 'unreadable image: a.png: damaged'}],
    'duplicates': {},
  }


def test_the_table_adds_up():
  text = summary.summary(
    a_description(
      counts(1000, 20, 3, 1, 4), counts(0, 7, 2, 0, 0), unknown=counts(*[0] * 5)
    )
  )
  assert [line.split() for line in text.splitlines()] == [
    ['class', 'role', 'labelled', 'unlabelled', 'test', 'skipped', 'no_face'],
    ['m0', 'known', '1,000', '20', '3', '1', '4'],
    ['m1', 'novel', '0', '7', '2', '0', '0'],
    ['total', '1,000', '27', '5', '1', '4'],
    'skipped: unreadable image: a.png: damaged'.split(),
    'no face was found in 4: packed whole'.split(),
  ]


def test_faces_are_mentioned_only_with_crops():
  text = summary.summary(
    a_description(counts(1, 2, 3, 0), unknown=counts(0, 5, 0, 0))
  )
  assert 'face' not in text
  assert '(truth unknown)' in text
