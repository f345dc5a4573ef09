"""What `prepare owdfa` and `prepare owdfapp` do about bad input."""

import os
import shutil

import pytest

from helpers import trees
from helpers.prepare_runs import (
  PROTOCOL_1,
  PROTOCOL_2,
  error_of,
  run,
  run_dry,
)
from input_pipeline import meta, output_folders, prepare
from input_pipeline.benchmarks import image_tree


def test_an_error_names_a_missing_dataset(copied_datasets, tmp_path, capsys):
  shutil.rmtree(copied_datasets / 'DFFD')
  assert run_dry(copied_datasets, tmp_path / 'out') == 1
  printed = capsys.readouterr().out
  assert 'NOTHING' in printed and 'FaceAPP-DFFD: 0 of 20 images' in printed
  error = error_of(capsys, copied_datasets, tmp_path / 'out')
  assert 'images are missing, first FaceAPP-DFFD' in error


def test_a_missing_dataset_may_be_allowed(copied_datasets, tmp_path, capsys):
  shutil.rmtree(copied_datasets / 'DFFD')
  run(copied_datasets, tmp_path / 'out', '--allow_missing')
  table = meta.read_meta(tmp_path / 'out' / PROTOCOL_1)
  assert table.num_known == 6 and table.label.max() == 15
  assert 'ids differ from the published' in capsys.readouterr().out


def test_an_empty_file_is_an_error_or_skipped(
  copied_datasets, tmp_path, capsys
):
  for file in (copied_datasets / 'DFFD' / 'faceapp').rglob('00003.png'):
    file.write_bytes(b'')
  error = error_of(capsys, copied_datasets, tmp_path / 'out')
  assert '00003.png (0 bytes)' in error
  run(copied_datasets, tmp_path / 'out', '--on_error', 'skip')
  printed = capsys.readouterr().out
  assert '1 image skipped and not replaced' in printed
  assert len(meta.read_meta(tmp_path / 'out' / PROTOCOL_2)) == 589


def test_an_error_names_a_listed_file_that_does_not_exist(
  copied_datasets, tmp_path, capsys
):
  images = copied_datasets / 'ForgeryNet' / 'Training' / 'images'
  shutil.rmtree(images / '3')
  error = error_of(capsys, copied_datasets, tmp_path / 'out')
  assert 'unreadable file' in error and 'No such file' in error


def test_an_error_names_a_file_name_that_is_not_utf8(
  copied_datasets, tmp_path, capsys
):
  root = os.fsencode(copied_datasets)
  bad = root + b'/DFFD/faceapp/train/\xff.png'
  open(bad, 'wb').close()
  error = error_of(capsys, copied_datasets, tmp_path / 'out')
  assert 'bad file name' in error
  os.rename(bad, root + b'/DF3/MidJourney/\xff.png')
  error = error_of(
    capsys, copied_datasets, tmp_path / 'out', benchmark='owdfapp'
  )
  assert 'bad file name' in error


def test_a_loop_of_links_ends(copied_datasets, tmp_path, capsys):
  df3 = copied_datasets / 'DF3'
  (df3 / 'DALLE2' / 'again').symlink_to(df3)
  run(copied_datasets, tmp_path / 'out', benchmark='owdfapp')
  loop = copied_datasets / 'DFFD' / 'faceapp' / 'train2'
  loop.symlink_to(loop)
  error = error_of(capsys, copied_datasets, tmp_path / 'out')
  assert 'symbolic link' in error.lower()


def test_a_video_that_will_not_open_is_an_error_or_left_out(tmp_path, capsys):
  root = trees.write_owdfa(tmp_path / 'mp4', mp4=True)
  folder = root / 'Celeb-DF-v2' / 'Celeb-real'
  (folder / 'id9_0000.mp4').write_bytes(b'not a video')
  error = error_of(capsys, root, tmp_path / 'out', '--allow_missing')
  assert 'video will not open' in error and 'id9_0000.mp4' in error
  run(root, tmp_path / 'out', '--allow_missing', '--on_error', 'skip')
  assert 'left out: video will not open' in capsys.readouterr().out


def test_too_little_disk_space_is_an_error_before_copying(
  owdfa_datasets, tmp_path, capsys, monkeypatch
):
  usage = shutil.disk_usage(tmp_path)._replace(free=10)
  monkeypatch.setattr(output_folders.shutil, 'disk_usage', lambda _: usage)
  error = error_of(capsys, owdfa_datasets, tmp_path / 'out', '--copy')
  assert 'too little disk space' in error
  assert not list((tmp_path / 'out').rglob('*.png'))


def test_a_full_disk_is_one_line_and_keeps_complete_copies(
  owdfa_datasets, tmp_path, capsys, monkeypatch
):
  copy, copied = shutil.copyfileobj, []

  def fill_up(image, target):
    if len(copied) == 5:
      target.write(image.read(10))
      raise OSError(28, 'No space left on device')
    copied.append(copy(image, target))

  monkeypatch.setattr(image_tree.shutil, 'copyfileobj', fill_up)
  error = error_of(capsys, owdfa_datasets, tmp_path / 'out', '--copy')
  assert 'No space left' in error and 'continues from there' in error
  left = [path for path in (tmp_path / 'out').rglob('*') if path.is_file()]
  assert len(left) == 5 and not any('partial' in path.name for path in left)


@pytest.mark.parametrize(
  ('option', 'value'), [('--scale', '0'), ('--scale', '2'), ('--seed', '-1')]
)
def test_an_error_names_a_value_out_of_range(
  owdfa_datasets, tmp_path, capsys, option, value
):
  words = option, value
  error = error_of(capsys, owdfa_datasets, tmp_path, *words, status=2)
  assert option in error


def test_an_error_names_a_bad_folder(owdfa_datasets, tmp_path, capsys):
  nowhere = tmp_path / 'nowhere'
  assert 'no such folder' in error_of(capsys, nowhere, tmp_path)
  (tmp_path / 'file').write_text('')
  error = error_of(capsys, owdfa_datasets, tmp_path / 'file')
  assert 'cannot make the folder' in error


@pytest.mark.parametrize('benchmark', ['owdfa', 'owdfapp', 'owdfa40'])
def test_a_folder_of_other_things_is_reported_first(
  tmp_path, capsys, benchmark
):
  for name in 'Photos', 'Music', '.hidden', '@eaDir':
    (tmp_path / 'data' / name).mkdir(parents=True)
  command = f'{benchmark} --datasets {tmp_path}/data --out {tmp_path}/out'
  line = (
    f'{tmp_path}/data (it holds the folders Music, Photos); name the folder'
  )
  with pytest.raises(SystemExit) as ended:
    prepare.main([*command.split(), '--dry_run'])
  assert ended.value.code == 1
  assert line in capsys.readouterr().out.splitlines()[0]
  with pytest.raises(SystemExit):
    prepare.main([*command.split(), '--allow_missing'])
  (error,) = capsys.readouterr().err.splitlines()
  assert line in error and not (tmp_path / 'out').exists()
  empty = command.replace('/data', '/data/Music')
  with pytest.raises(SystemExit):
    prepare.main(empty.split())
  assert '(it is empty)' in capsys.readouterr().err
