"""The simulated dataset: its files and CSVs, and the command."""

import collections
import csv
import json
import subprocess
import sys

import cv2
import pytest

from input_pipeline.errors import UserError
from input_pipeline.simulate import __main__ as command
from input_pipeline.simulate import simulated_dataset
from input_pipeline.simulate.simulated_classes import CLASSES
from input_pipeline.simulate.simulated_dataset import (
  CSV_NAMES,
  SUMMARY,
  simulate,
)


def files_of(folder):
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }


def read_meta(folder, protocol):
  with open(folder / CSV_NAMES[protocol], newline='') as file:
    return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def small(tmp_path_factory):
  """A complete dataset of 5 images per class, made in this process."""
  folder = tmp_path_factory.mktemp('simulate') / 'small'
  assert simulate(str(folder), 5, 32, 3, processes=1)
  return folder


def test_the_number_of_processes_does_not_change_a_byte(small, tmp_path):
  assert simulate(str(tmp_path / 'two'), 5, 32, 3, processes=2)
  assert files_of(tmp_path / 'two') == files_of(small)


def test_folders_are_those_of_the_benchmark(small):
  for entry in CLASSES:
    folder = small / entry.forgery_type / entry.method / entry.dataset
    assert sorted(p.name for p in folder.iterdir()) == [
      f'{n:05d}.png' for n in range(5)
    ]
  assert cv2.imread(str(folder / '00000.png')).shape == (32, 32, 3)
  summary = json.loads((small / SUMMARY).read_text())
  assert summary['images'] == 110 and summary['seed'] == 3


@pytest.mark.parametrize('protocol, known, novel', [(1, 8, 12), (2, 9, 13)])
def test_the_csvs_have_the_benchmarks_columns_tags_and_labels(
  small, protocol, known, novel
):
  rows = read_meta(small, protocol)
  assert ','.join(rows[0]) == (
    'img_name,label,method,forgery_type,forgery_label,face_type,tag,code,'
    'image_source,img_path,compression,frame_idx'
  )
  assert all((small / row['img_path']).is_file() for row in rows)
  tags = collections.defaultdict(collections.Counter)
  names = collections.defaultdict(set)
  for row in rows:
    tags[int(row['label'])][int(row['tag'])] += 1
    names[int(row['label'])].add((row['method'], row['image_source']))
    assert (row['face_type'] == '1') == (row['forgery_type'] == 'RealFace')
  assert sorted(tags) == list(range(known + novel))
  assert all(len(pairs) == 1 for pairs in names.values())
  for label, counts in tags.items():  # int(5 * .75 + .5) = 4
    assert counts == ({1: 4, 2: 1} if label < known else {2: 4, 0: 1})


def test_labels_are_those_of_the_benchmark(small):
  labels = {
    (r['method'], r['image_source']): int(r['label'])
    for r in read_meta(small, 2)
  }
  assert labels['Real', 'FF++'] == 0 and labels['Real', 'CelebDF'] == 9
  for row in read_meta(small, 1):
    label = labels[row['method'], row['image_source']]
    assert int(row['label']) == (label - 1 if label < 9 else label - 2)
  known = {pair[0] for pair, label in labels.items() if 0 < label < 9}
  assert known == set(
    'Deepfakes DeepFaceLab Face2Face FOMM MaskGAN FaceAPP StyleGAN'
    ' CycleGAN'.split()
  )


def test_a_complete_dataset_is_reused(small):
  before = (small / SUMMARY).stat().st_mtime_ns
  assert not simulate(str(small), 5, 32, 3)
  assert (small / SUMMARY).stat().st_mtime_ns == before


@pytest.mark.parametrize(
  'count, size, seed', [(6, 32, 3), (5, 40, 3), (5, 32, 4)]
)
def test_other_parameters_are_refused(small, count, size, seed):
  with pytest.raises(UserError, match='made with other .* name another --out'):
    simulate(str(small), count, size, seed)


def test_a_folder_of_other_files_is_refused_and_unchanged(tmp_path):
  (tmp_path / 'mine.txt').write_text('mine')
  with pytest.raises(UserError, match='not a simulated dataset'):
    simulate(str(tmp_path), 4, 32, 0)
  assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write'):
    simulate(str(tmp_path / 'file' / 'out'), 4, 32, 0)
  with pytest.raises(UserError, match='not a simulated dataset'):
    simulate(str(tmp_path / 'file'), 4, 32, 0)


@pytest.mark.parametrize(
  'count, size, seed, field',
  [
    (3, 32, 0, '--images_per_class=3'),
    (4, 31, 0, '--size=31'),
    (4, 32, -1, '--seed=-1'),
  ],
)
def test_an_error_names_a_value_out_of_range(
  tmp_path, count, size, seed, field
):
  with pytest.raises(UserError, match=field):
    simulate(str(tmp_path / 'out'), count, size, seed)


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
  def interrupt(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr(simulated_dataset, 'write_meta', interrupt)
  with pytest.raises(KeyboardInterrupt):
    simulate(str(tmp_path / 'out'), 4, 32, 0, processes=1)
  assert not list(tmp_path.iterdir())


def test_the_command_reports_in_one_line(small, capsys):
  arguments = ['--out', str(small), '--images_per_class', '5', '--seed', '3']
  command.main([*arguments, '--size', '32'])
  assert capsys.readouterr().out.startswith('already complete, reused')
  with pytest.raises(SystemExit) as stopped:
    command.main([*arguments, '--size', '8'])
  assert stopped.value.code == 2
  assert capsys.readouterr().err.count('\n') == 1


def test_the_help_names_the_command_it_was_called_by(capsys):
  with pytest.raises(SystemExit):
    command.main(['--help'], prog='owdfa simulate')
  assert 'usage: owdfa simulate ' in capsys.readouterr().out


def test_the_command_imports_neither_jax_nor_opencv_before_it_runs():
  code = (
    'import sys, input_pipeline.simulate.__main__;'
    "sys.exit(bool({'jax', 'cv2', 'numpy'} & set(sys.modules)))"
  )
  assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_simulating_does_not_import_jax():
  code = (
    'import sys, input_pipeline.simulate.simulated_dataset;'
    "sys.exit('jax' in sys.modules)"
  )
  assert subprocess.run([sys.executable, '-c', code]).returncode == 0
