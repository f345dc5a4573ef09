"""`prepare owdfa` and `owdfapp` on miniature datasets, good and bad."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from helpers import trees
from input_pipeline import meta, outputs, prepare
from input_pipeline.benchmarks import aigc, place, tables
from input_pipeline.forgery_types import FORGERY_LABELS
from input_pipeline.splits import split_rows

FILES = (
  'Protocol1_openset_fake_meta.csv',
  'Protocol2_openset_real_fake_meta.csv',
)


@pytest.fixture(scope='module')
def datasets(tmp_path_factory):
  root = trees.owdfa(tmp_path_factory.mktemp('datasets'))
  return trees.df3(root, [entry.folder for entry in aigc.read(aigc.GUESS)])


@pytest.fixture
def copy(datasets, tmp_path):
  """A copy that a test may spoil."""
  return shutil.copytree(datasets, tmp_path / 'datasets')


def run(datasets, out, *options, benchmark='owdfa'):
  prepare.main([
    benchmark, '--datasets', str(datasets), '--out', str(out),
    '--scale', '0.01', *options,
  ])  # fmt: skip


def failure(capsys, *arguments, **options):
  """The one-line error of a call that must fail."""
  with pytest.raises(SystemExit) as stop:
    run(*arguments, **options)
  error = capsys.readouterr().err
  assert stop.value.code == 1
  assert error.startswith('error: ') and error.count('\n') == 1
  return error


def names(out, file=FILES[1]):
  return meta.read(out / file).img_path.tolist()


@pytest.mark.parametrize(
  ('benchmark', 'numbers', 'known'),
  [('owdfa', (1, 2), (8, 9)), ('owdfapp', (3, 4), (10, 11))],
)
def test_counts_and_ids_are_the_tables_scaled_down(
  datasets, tmp_path, benchmark, numbers, known
):
  run(datasets, tmp_path, benchmark=benchmark)
  extra = aigc.read(aigc.GUESS)
  files = sorted(tmp_path.iterdir())
  assert [file.name[:9] for file in files] == [f'Protocol{n}' for n in numbers]
  for file, number, num_known in zip(files, numbers, known, strict=True):
    table = meta.read(file)
    assert table.num_known == num_known and table.split is None
    for label, entry in enumerate(tables.protocol(number, extra)):
      mine = table.label == label
      assert set(table.method[mine]) == {entry.method}
      assert set(table.image_source[mine]) == {entry.source}
      counts = [(table.tag[mine] == tag).sum() * 100 for tag in (1, 2)]
      assert tuple(counts) == entry.images
    assert all(table.file(row).exists() for row in range(len(table)))
    train, test = split_rows(table)
    assert len(test) == len(table) // 5


def test_columns_are_filled_as_in_the_released_files(datasets, tmp_path):
  run(datasets, tmp_path)
  lines = (tmp_path / FILES[1]).read_text().splitlines()
  rows = [dict(zip(lines[0].split(','), r.split(','), strict=True))
          for r in lines[1:]]  # fmt: skip
  fake = next(r for r in rows if r['label'] == '1')
  assert (fake['compression'], fake['forgery_label']) == ('c23', '1')
  assert fake['img_name'] == pathlib.Path(fake['img_path']).parent.name
  assert fake['frame_idx'] == pathlib.Path(fake['img_path']).stem
  assert all((r['face_type'] == '1') == (r['method'] == 'Real') for r in rows)
  assert {r['forgery_type'] for r in rows} == set(FORGERY_LABELS)


def test_videos_and_frames_make_the_same_benchmark(datasets, tmp_path):
  mp4 = trees.owdfa(tmp_path / 'mp4', mp4=True)
  run(mp4, tmp_path / 'a')
  run(datasets, tmp_path / 'b')
  tags = [meta.read(tmp_path / x / FILES[1]).tag for x in 'ab']
  np.testing.assert_array_equal(*tags)
  table = meta.read(tmp_path / 'a' / FILES[1])
  swaps = table.img_path[table.label == 1].tolist()
  below = 'frames/IdentitySwap/Deepfakes/faceforensics'
  assert f'{below}/c23-000_001-0000.png' in swaps
  assert f'{below}/c23-009_008-0023.png' in swaps
  before = {f: f.stat().st_mtime_ns for f in (tmp_path / 'a').rglob('*.png')}
  run(mp4, tmp_path / 'a')
  after = {f: f.stat().st_mtime_ns for f in (tmp_path / 'a').rglob('*.png')}
  assert before == after and len(before) == 200 + 20 + 20 + 15 + 15 + 50


def test_the_seed_decides_and_the_same_call_writes_the_same(datasets, tmp_path):
  for out, seed in ('a', '2000'), ('b', '2000'), ('c', '1'):
    run(datasets, tmp_path / out, '--seed', seed)
  a, b, c = ((tmp_path / out / FILES[1]).read_bytes() for out in 'abc')
  assert a == b != c


@pytest.mark.parametrize('how', ['--link', '--copy'])
def test_images_are_placed_in_one_tree_and_a_second_call_goes_on(
  datasets, tmp_path, how
):
  run(datasets, tmp_path, how)
  paths = names(tmp_path)
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
  run(datasets, tmp_path, how)
  assert kept.lstat().st_ino == inode and lost.read_bytes() == content


@pytest.mark.parametrize('rule', ['stratified', 'video'])
def test_other_splits_are_a_column(datasets, tmp_path, capsys, rule):
  run(datasets, tmp_path, '--split', rule)
  table = meta.read(tmp_path / FILES[1])
  train, test = split_rows(table)
  assert 0.15 < len(test) / len(table) < 0.25
  printed = capsys.readouterr().out
  assert ('  0 of' in printed) == (rule == 'video')
  assert 'test images are frames of a video' in printed


def test_a_dry_run_tells_all_and_writes_nothing(datasets, tmp_path, capsys):
  with pytest.raises(SystemExit) as stop:
    run(datasets, tmp_path / 'out', '--dry_run', benchmark='owdfapp')
  assert stop.value.code == 0
  assert not (tmp_path / 'out').exists()
  printed = capsys.readouterr().out
  for word in 'looked for', 'A GUESS', 'no source at all', 'image_list.txt':
    assert word in printed
  assert 'NOTHING' not in printed


def test_a_missing_dataset_is_named_and_can_be_accepted(copy, tmp_path, capsys):
  shutil.rmtree(copy / 'DFFD')
  with pytest.raises(SystemExit) as stop:
    run(copy, tmp_path / 'out', '--dry_run')
  assert stop.value.code == 1
  printed = capsys.readouterr().out
  assert 'NOTHING' in printed and 'FaceAPP-DFFD: 0 of 20 images' in printed
  error = failure(capsys, copy, tmp_path / 'out')
  assert 'images are missing, first FaceAPP-DFFD' in error
  run(copy, tmp_path / 'out', '--allow_missing')
  table = meta.read(tmp_path / 'out' / FILES[0])
  assert table.num_known == 6 and table.label.max() == 15
  assert 'ids differ from the published' in capsys.readouterr().out


def test_datasets_are_found_under_the_released_names_too(copy, tmp_path):
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
  a, b = (meta.read(tmp_path / x / FILES[1]) for x in 'ab')
  np.testing.assert_array_equal(a.tag, b.tag)
  assert [os.path.basename(p) for p in a.img_path] == [
    os.path.basename(p) for p in b.img_path
  ]


def test_without_forgerynirs_list_its_folders_are_listed(
  copy, tmp_path, capsys
):
  shutil.rmtree(copy / 'ForgeryNIR' / 'lists')
  with pytest.raises(SystemExit) as stop:
    run(copy, tmp_path / 'out', '--dry_run')
  assert stop.value.code == 0
  assert 'A GUESS     no list file' in capsys.readouterr().out


def test_an_empty_file_is_named_or_left_out(copy, tmp_path, capsys):
  for file in (copy / 'DFFD' / 'faceapp').rglob('00003.png'):
    file.write_bytes(b'')
  assert '00003.png (0 bytes)' in failure(capsys, copy, tmp_path / 'out')
  run(copy, tmp_path / 'out', '--on_error', 'skip')
  printed = capsys.readouterr().out
  assert '1 images skipped; nothing stands in' in printed
  assert len(names(tmp_path / 'out')) == 589


def test_a_listed_file_that_is_not_there_is_named(copy, tmp_path, capsys):
  shutil.rmtree(copy / 'ForgeryNet' / 'Training' / 'images' / '3')
  error = failure(capsys, copy, tmp_path / 'out')
  assert 'unreadable file' in error and 'No such file' in error


def test_a_name_that_is_not_utf8_is_named(copy, tmp_path, capsys):
  bad = os.fsencode(copy) + b'/DFFD/faceapp/train/\xff.png'
  open(bad, 'wb').close()
  assert 'bad file name' in failure(capsys, copy, tmp_path / 'out')
  (copy / 'DF3' / 'more').mkdir()
  os.rename(bad, os.fsencode(copy) + b'/DF3/MidJourney/\xff.png')
  error = failure(capsys, copy, tmp_path / 'out', benchmark='owdfapp')
  assert 'bad file name' in error


def test_loops_of_links_end(copy, tmp_path, capsys):
  (copy / 'DF3' / 'DALLE2' / 'again').symlink_to(copy / 'DF3')
  run(copy, tmp_path / 'out', benchmark='owdfapp')
  loop = copy / 'DFFD' / 'faceapp' / 'train2'
  loop.symlink_to(loop)
  assert 'symbolic link' in failure(capsys, copy, tmp_path / 'out').lower()


def test_the_same_file_in_two_classes_is_reported(copy, tmp_path, capsys):
  source = next((copy / 'DFFD' / 'faceapp' / 'train').iterdir())
  for file in (copy / 'DFFD' / 'stargan' / 'train').iterdir():
    shutil.copy(source, file)
  run(copy, tmp_path / 'out')
  printed = capsys.readouterr().out
  assert 'duplicates in more than one class: 1' in printed
  assert 'duplicates within one class: 1' in printed


def test_a_video_that_will_not_open_is_named_or_counted(tmp_path, capsys):
  root = trees.owdfa(tmp_path / 'mp4', mp4=True)
  folder = root / 'Celeb-DF-v2' / 'Celeb-real'
  (folder / 'id9_0000.mp4').write_bytes(b'not a video')
  error = failure(capsys, root, tmp_path / 'out', '--allow_missing')
  assert 'video will not open' in error and 'id9_0000.mp4' in error
  run(root, tmp_path / 'out', '--allow_missing', '--on_error', 'skip')
  assert 'left out: video will not open' in capsys.readouterr().out


def test_a_full_disk_is_one_line_and_keeps_what_is_there(
  datasets, tmp_path, capsys, monkeypatch
):
  usage = shutil.disk_usage(tmp_path)._replace(free=10)
  with monkeypatch.context() as patch:
    patch.setattr(outputs.shutil, 'disk_usage', lambda _: usage)
    error = failure(capsys, datasets, tmp_path / 'a', '--copy')
  assert 'too little disk space' in error
  real, copied = shutil.copyfile, []

  def fill_up(source, target):
    if len(copied) == 5:
      raise OSError(28, 'No space left on device')
    copied.append(real(source, target))

  with monkeypatch.context() as patch:
    patch.setattr(place.shutil, 'copyfile', fill_up)
    error = failure(capsys, datasets, tmp_path / 'b', '--copy')
  assert 'No space left' in error and 'goes on from it' in error
  left = [p for p in (tmp_path / 'b').rglob('*') if p.is_file()]
  assert len(left) == 5 and not any('tmp' in p.name for p in left)


def test_bad_arguments_are_named(datasets, tmp_path, capsys):
  nowhere = tmp_path / 'nowhere'
  assert 'no such folder' in failure(capsys, nowhere, tmp_path)
  for option, value in ('--scale', '0'), ('--scale', '2'), ('--seed', '-1'):
    assert option in failure(capsys, datasets, tmp_path, option, value)
  (tmp_path / 'file').write_text('')
  assert 'cannot make' in failure(capsys, datasets, tmp_path / 'file')
