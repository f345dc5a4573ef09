"""`prepare owdfa` and `prepare owdfapp` on miniature datasets."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from helpers import trees
from helpers.prepare_runs import PROTOCOL_2, run, run_dry
from input_pipeline import meta
from input_pipeline.benchmarks.aigc_classes import read_aigc_classes
from input_pipeline.benchmarks.owdfa_classes import owdfa_protocol
from input_pipeline.forgery_types import FORGERY_LABELS
from input_pipeline.splits import split_rows


@pytest.mark.parametrize(
  ('benchmark', 'numbers', 'known'),
  [('owdfa', (1, 2), (8, 9)), ('owdfapp', (3, 4), (10, 11))],
)
def test_ids_and_scaled_counts_are_those_of_the_class_table(
  owdfa_datasets, tmp_path, benchmark, numbers, known
):
  run(owdfa_datasets, tmp_path, benchmark=benchmark)
  extra = read_aigc_classes()
  files = sorted(tmp_path.iterdir())
  assert [file.name[:9] for file in files] == [f'Protocol{n}' for n in numbers]
  for file, number, num_known in zip(files, numbers, known, strict=True):
    table = meta.read_meta(file)
    assert table.num_known == num_known and table.split is None
    for label, entry in enumerate(owdfa_protocol(number, extra)):
      mine = table.label == label
      assert set(table.method[mine]) == {entry.method}
      assert set(table.image_source[mine]) == {entry.dataset}
      counts = [(table.tag[mine] == tag).sum() * 100 for tag in (1, 2)]
      assert tuple(counts) == entry.counts
    assert all(table.file(row).exists() for row in range(len(table)))
    train, test = split_rows(table)
    assert len(test) == len(table) // 5


def test_columns_have_values_as_in_the_released_files(owdfa_datasets, tmp_path):
  run(owdfa_datasets, tmp_path)
  lines = (tmp_path / PROTOCOL_2).read_text().splitlines()
  rows = [dict(zip(lines[0].split(','), r.split(','), strict=True))
          for r in lines[1:]]  # fmt: skip
  fake = next(r for r in rows if r['label'] == '1')
  assert (fake['compression'], fake['forgery_label']) == ('c23', '1')
  assert fake['img_name'] == pathlib.Path(fake['img_path']).parent.name
  assert fake['frame_idx'] == pathlib.Path(fake['img_path']).stem
  assert all((r['face_type'] == '1') == (r['method'] == 'Real') for r in rows)
  assert {r['forgery_type'] for r in rows} == set(FORGERY_LABELS)


def test_videos_and_extracted_frames_give_the_same_benchmark(
  owdfa_datasets, tmp_path
):
  mp4 = trees.write_owdfa(tmp_path / 'mp4', mp4=True)
  run(mp4, tmp_path / 'a')
  run(owdfa_datasets, tmp_path / 'b')
  a, b = (meta.read_meta(tmp_path / out / PROTOCOL_2) for out in 'ab')
  np.testing.assert_array_equal(a.tag, b.tag)
  swaps = a.img_path[a.label == 1].tolist()
  below = 'frames/IdentitySwap/Deepfakes/faceforensics'
  assert f'{below}/c23-000_001-0000.png' in swaps
  assert f'{below}/c23-009_008-0023.png' in swaps


def test_a_second_call_extracts_no_frame_again(tmp_path):
  mp4 = trees.write_owdfa(tmp_path / 'mp4', mp4=True)

  def times():
    run(mp4, tmp_path / 'out')
    frames = (tmp_path / 'out').rglob('*.png')
    return {frame: frame.stat().st_mtime_ns for frame in frames}

  first = times()
  assert len(first) == 200 + 20 + 20 + 15 + 15 + 50
  assert times() == first


def test_equal_seeds_write_equal_files_and_others_do_not(
  owdfa_datasets, tmp_path
):
  for out, seed in ('a', '2000'), ('b', '2000'), ('c', '1'):
    run(owdfa_datasets, tmp_path / out, '--seed', seed)
  a, b, c = ((tmp_path / out / PROTOCOL_2).read_bytes() for out in 'abc')
  assert a == b != c


@pytest.mark.parametrize('how', ['--link', '--copy'])
def test_images_are_gathered_in_one_tree_and_a_second_call_adds_lost_ones(
  owdfa_datasets, tmp_path, how
):
  run(owdfa_datasets, tmp_path, how)
  paths = meta.read_meta(tmp_path / PROTOCOL_2).img_path.tolist()
  assert all(path.startswith('images/') for path in paths)
  assert len(set(paths)) == len(paths) == 590
  assert 'images/RealFace/Real/CelebDF' in {
    os.path.dirname(path) for path in paths
  }
  files = [tmp_path / path for path in paths]
  assert all(file.is_symlink() == (how == '--link') for file in files)
  kept, lost = files[0], files[1]
  inode, content = kept.lstat().st_ino, lost.read_bytes()
  lost.unlink()
  run(owdfa_datasets, tmp_path, how)
  assert kept.lstat().st_ino == inode and lost.read_bytes() == content


@pytest.mark.parametrize('rule', ['stratified', 'video'])
def test_other_split_rules_write_a_column(
  owdfa_datasets, tmp_path, capsys, rule
):
  run(owdfa_datasets, tmp_path, '--split', rule)
  table = meta.read_meta(tmp_path / PROTOCOL_2)
  train, test = split_rows(table)
  assert 0.15 < len(test) / len(table) < 0.25
  printed = capsys.readouterr().out
  assert ('  0 of' in printed) == (rule == 'video')
  assert 'test images are frames of a video' in printed
  # Frames of one video get one verdict, where the split keeps them together.
  assert (table.group is not None) == (rule == 'video')
  if rule == 'video':
    groups = set(table.group) - {''}
    assert 0 < len(groups) < np.sum(table.group != '')
    assert not set(table.group[train]) & set(table.group[test]) - {''}


def test_a_dry_run_prints_all_findings_and_writes_nothing(
  owdfa_datasets, tmp_path, capsys
):
  assert run_dry(owdfa_datasets, tmp_path / 'out', benchmark='owdfapp') == 0
  assert not (tmp_path / 'out').exists()
  printed = capsys.readouterr().out
  for word in 'looked for', 'A GUESS', 'not in any public', 'image_list.txt':
    assert word in printed
  assert 'NOTHING' not in printed


def test_datasets_are_also_found_under_the_released_names(
  copied_datasets, tmp_path
):
  copy = copied_datasets
  run(copy, tmp_path / 'a')
  (copy / 'faceforensics').mkdir()
  (copy / 'FaceForensics++').rename(copy / 'faceforensics' / 'ffpp_video')
  (copy / 'ForgeryNet').rename(copy / 'x')
  (copy / 'ForgeryNet').mkdir()
  (copy / 'x').rename(copy / 'ForgeryNet' / 'unzip_files')
  (copy / 'DFFD').rename(copy / 'DiverseFakeFaceDataset')
  shutil.move(copy / 'ForgeryNIR', copy / 'y')
  (copy / 'ForgeryNIR').mkdir()
  (copy / 'y').rename(copy / 'ForgeryNIR' / 'unzip_files')
  run(copy, tmp_path / 'b')
  a, b = (meta.read_meta(tmp_path / out / PROTOCOL_2) for out in 'ab')
  np.testing.assert_array_equal(a.tag, b.tag)
  assert [os.path.basename(p) for p in a.img_path] == [
    os.path.basename(p) for p in b.img_path
  ]


def test_without_its_list_file_forgerynirs_folders_are_listed(
  copied_datasets, tmp_path, capsys
):
  shutil.rmtree(copied_datasets / 'ForgeryNIR' / 'lists')
  assert run_dry(copied_datasets, tmp_path / 'out') == 0
  assert 'A GUESS     no list file' in capsys.readouterr().out


def test_equal_files_are_reported(copied_datasets, tmp_path, capsys):
  dffd = copied_datasets / 'DFFD'
  image = next((dffd / 'faceapp' / 'train').iterdir())
  for file in (dffd / 'stargan' / 'train').iterdir():
    shutil.copy(image, file)
  run(copied_datasets, tmp_path / 'out')
  printed = capsys.readouterr().out
  assert 'duplicates in more than one class: 1' in printed
  assert 'duplicates within one class: 1' in printed
