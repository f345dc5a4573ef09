"""`prepare owdfa40`: the released rule, written again, and the other rules."""

import collections
import os

import numpy as np
import pytest

from helpers import trees
from input_pipeline import meta, prepare
from input_pipeline.benchmarks import owdfa40
from input_pipeline.benchmarks.owdfa40_classes import owdfa40_protocol


@pytest.fixture(scope='module')
def datasets(tmp_path_factory):
  return trees.write_owdfa40(tmp_path_factory.mktemp('owdfa40'))


def pick_images(datasets, number, rule):
  listings = owdfa40.list_owdfa40(datasets, owdfa40_protocol(1))
  classes = owdfa40_protocol(number)
  return owdfa40.pick_images(
    listings, classes, factor=trees.SCALE, seed=2025, rule=rule
  )


def as_released(datasets, known):
  """Repeats the released steps, with sorted folders and files.

  Returns:
    The paths of training, test and labelled images.
  """
  np.random.seed(2025)
  of_label, train, test = {}, [], []
  for name in sorted(os.listdir(datasets / 'data')):
    label = int(name.split('_')[0])
    found = sorted(
      os.path.join(folder, file)
      for folder, _, files in os.walk(datasets / 'data' / name)
      for file in files
    )
    if label == 0:
      found = np.random.choice(found, size=100, replace=False).tolist()
    of_label.setdefault(label, []).extend(found)
  for label, found in of_label.items():
    paths = np.array(found)
    size = (200 if label == 0 else 20) if label in known else 15
    if len(paths) > size:
      paths = np.random.choice(paths, size=size, replace=False)
    np.random.shuffle(paths)
    boundary = int(len(paths) * (1 - 0.2))
    train += [(path, label) for path in paths[:boundary]]
    test += [(path, label) for path in paths[boundary:]]
  pool = [path for path, label in train if label in known]
  rows = np.random.choice(
    np.arange(len(pool)), size=int(len(pool) * 0.75), replace=False
  )
  return (
    {path for path, _ in train},
    {path for path, _ in test},
    {pool[row] for row in rows},
  )


@pytest.mark.parametrize('number', [1, 2, 3])
def test_rule_released_repeats_the_released_code_on_sorted_folders(
  datasets, number
):
  known = {int(e.folder) for e in owdfa40_protocol(number) if e.known}
  train, test, labelled = as_released(datasets, known)
  picks = pick_images(datasets, number, 'released')
  assert {p.image.path for p in picks if p.split == 'train'} == train
  assert {p.image.path for p in picks if p.split == 'test'} == test
  assert {p.image.path for p in picks if p.tag == meta.LABELLED} == labelled


def test_rule_stratified_has_exact_shares_in_every_class(datasets):
  picks = pick_images(datasets, 1, 'stratified')
  count = collections.Counter((p.entry, p.split, p.tag) for p in picks)
  for entry in owdfa40_protocol(1):
    size = 200 if entry.folder == '0' else 20 if entry.known else 15
    labelled = size * 6 // 10 if entry.known else 0
    assert count[entry, 'train', 1] == labelled
    assert count[entry, 'train', 2] == size * 8 // 10 - labelled
    assert count[entry, 'test', 2] == size // 5
  real = [p for p in picks if p.entry.folder == '0']
  of_folder = collections.Counter((p.image.image_source, p.tag) for p in real)
  assert of_folder['0_Real_CelebDF', 1] == 60
  assert of_folder['0_Real_FaceForensics', 1] == 60


def test_the_command_writes_three_valid_csvs(datasets, tmp_path, capsys):
  prepare.main(
    f'owdfa40 --datasets {datasets} --out {tmp_path} --scale 0.01'.split()
  )
  for number, known in (1, 19), (2, 13), (3, 29):
    table = meta.read_meta(tmp_path / f'owdfa40_protocol{number}_meta.csv')
    assert table.num_known == known
    classes = meta.classes(table)
    assert [c.method for c in classes] == [
      e.method for e in owdfa40_protocol(number)
    ]
    assert classes[0].image_source == '0_Real_CelebDF&0_Real_FaceForensics'
    assert classes[0].face_type == 1
    assert all(table.file(row).exists() for row in range(len(table)))
  assert 'frames of a video' in capsys.readouterr().out


def test_rule_video_puts_no_video_on_both_sides(datasets, tmp_path, capsys):
  prepare.main(
    f'owdfa40 --datasets {datasets} --out {tmp_path} --scale 0.01 '
    '--split video'.split()
  )
  assert capsys.readouterr().out.count('  0 of ') == 3
  table = meta.read_meta(tmp_path / 'owdfa40_protocol1_meta.csv')
  assert (table.tag[table.split == 'test'] == meta.UNLABELLED).all()
  videos = collections.defaultdict(set)
  for path, split in zip(table.img_path, table.split, strict=True):
    name = os.path.basename(path)
    if name.startswith(('c23-', 'Celeb-real-')):
      videos[name.rsplit('-', 1)[0]].add(split)
    elif name[:4].isdigit() and name.endswith('.png'):
      videos[os.path.dirname(path)].add(split)
  assert len(videos) > 100 and all(len(s) == 1 for s in videos.values())


def test_a_missing_folder_is_an_error_or_allowed(tmp_path, capsys):
  datasets = trees.write_owdfa40(tmp_path, pictures=20, real=100, skip=(6, 40))
  command = f'owdfa40 --datasets {datasets} --out {tmp_path}/o --scale 0.01'
  with pytest.raises(SystemExit):
    prepare.main(command.split())
  printed = capsys.readouterr()
  assert 'Face2Face-FaceForensics++: 0 of 20 images' in printed.out
  assert '6_<type>_<name>' in printed.out
  assert printed.err.count('\n') == 1 and '--allow_missing' in printed.err
  assert not (tmp_path / 'o').exists()
  prepare.main([*command.split(), '--allow_missing'])
  table = meta.read_meta(tmp_path / 'o' / 'owdfa40_protocol1_meta.csv')
  assert table.num_known == 18 and table.label.max() == 38
  printed = capsys.readouterr().out
  assert 'left out: Face2Face-FaceForensics++, OneShot-DF40' in printed


def test_an_error_names_a_known_class_without_a_labelled_image(
  datasets, tmp_path, capsys
):
  with pytest.raises(SystemExit):
    prepare.main(
      f'owdfa40 --datasets {datasets} --out {tmp_path} --scale 0.0005'.split()
    )
  error = capsys.readouterr().err
  assert 'Deepfakes-FaceForensics++ has no labelled image left' in error
  assert error.count('\n') == 1


def test_a_folder_without_class_folders_gives_empty_listings(tmp_path):
  (tmp_path / 'data').mkdir()
  listings = owdfa40.list_owdfa40(tmp_path, owdfa40_protocol(1))
  assert len(listings) == 41 and not any(map(len, listings))


def test_an_error_names_a_file_name_that_is_not_utf8(tmp_path):
  bad = os.fsencode(tmp_path) + b'/1_S_Deepfakes/\xff.png'
  os.makedirs(os.path.dirname(bad))
  open(bad, 'wb').close()
  listings = owdfa40.list_owdfa40(tmp_path, owdfa40_protocol(1))
  (problem,) = [line for listing in listings for line in listing.problems]
  assert problem.startswith('bad file name')
