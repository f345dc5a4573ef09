"""Attribution of new images."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.picture_cases import RGB, saved
from helpers.video_files import flat_frames, write_video
from input_pipeline import faces, image_folders
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.new_images import find_new_images, list_new_images
from owdfa_jax.inference.attribute import attribute

DATA = pathlib.Path(__file__).parents[1] / 'data'

pytestmark = pytest.mark.usefixtures('quick_compile')


def read_lines(trained):
  return read_csv(trained.workdir / 'new_attributions.csv')


def test_every_new_image_gets_a_source(trained, tmp_path, capsys):
  imagesets.write_set(tmp_path / 'new', per_class=7, size=48, suffix='jpg')
  assert attribute(trained, list_new_images(str(tmp_path / 'new'))) == 0
  lines = read_lines(trained)
  files = sorted(str(path) for path in (tmp_path / 'new').rglob('*.jpg'))
  # The last file is the meta CSV.
  assert [line['image'] for line in lines[:-1]] == files
  assert lines.pop()['error'] == 'text, not an image'
  assert {x['source'] for x in lines} <= {'m0', 'm1', 'novel-2', 'novel-3'}
  assert not any(x['error'] for x in lines)
  path = trained.workdir / 'new_attributions.csv'
  printed = capsys.readouterr().out
  table, _ = printed.split('A name is a lead, not proof')
  # A run without a temperature is warned of first.
  header, *rows = [x for x in table.splitlines() if 'warning: ' not in x]
  assert (
    header.split() == 'images source mean confidence, % inconclusive'.split()
  )
  for name in {x['source'] for x in lines}:
    found = [float(x['confidence']) for x in lines if x['source'] == name]
    (row,) = (row.split() for row in rows if row.split()[1] == name)
    assert row[0] == str(len(found))
    assert float(row[2]) == pytest.approx(100 * np.mean(found), abs=0.01)
  assert f'written: {path}' in printed


def test_unreadable_image_is_reported_and_the_others_attributed(
  trained, tmp_path, capsys
):
  imagesets.write_set(tmp_path, per_class=3, size=48)
  files = sorted(str(path) for path in tmp_path.rglob('*.png'))
  pathlib.Path(files[1]).write_bytes(b'not an image')
  assert attribute(trained, list_new_images(str(tmp_path))) == 1
  lines = read_lines(trained)[:-1]
  assert [line['image'] for line in lines] == files
  assert [bool(line['source']) for line in lines] == [
    i != 1 for i in range(len(files))
  ]
  assert 'not an image' in lines[1]['error'] and not lines[1]['output']
  told = capsys.readouterr()
  assert files[1] in told.err and '1  (unreadable)' in told.out


def test_of_no_readable_image_nothing_is_said_of_names(
  trained, tmp_path, capsys
):
  (tmp_path / 'a.png').write_bytes(b'no image')
  out, said = str(tmp_path / 'out.csv'), 'a real photograph may get'
  scan = find_new_images([str(tmp_path / 'a.png')])
  assert attribute(trained, scan, out=out) == 1
  assert said not in capsys.readouterr().out
  imagesets.write_set(tmp_path / 'set', known=1, novel=0, per_class=1)
  attribute(trained, find_new_images([str(tmp_path / 'set' / '0')]), out=out)
  assert said in capsys.readouterr().out


def test_faces_are_cut_out_as_in_training(trained, tmp_path, monkeypatch):
  imagesets.write_set(tmp_path, per_class=1, size=48)
  crops = []

  class OneFace(faces.Detector):
    def __init__(self, crop):
      self.crop = crop

    def faces(self, image):
      crops.append(self.crop)
      yield faces.FaceBox(0, 0, 24, 24)

  monkeypatch.setattr(faces, 'detector', OneFace)
  arguments = trained.dataset.description['made']['arguments']
  monkeypatch.setitem(arguments, 'crop', 'opencv')
  attribute(trained, list_new_images(str(tmp_path)))
  files = len(list(tmp_path.rglob('*.png')))
  assert crops == [faces.Crop('opencv', arguments['margin'], None)] * files


def test_folder_without_images_is_an_error(trained, tmp_path):
  with pytest.raises(UserError, match='no images'):
    attribute(trained, list_new_images(str(tmp_path)))


def test_every_file_of_the_folder_gets_a_line(trained, tmp_path, capsys):
  imagesets.write_set(tmp_path / 'set', per_class=1, size=48)
  files = {
    'a.jfif': saved(RGB, 'JPEG'),
    'b': saved(RGB, 'WEBP'),
    'c.mp4': b'\0\0\0\x20ftypisom',
    'd.txt': b'text',
    'e.png': b'RIFF\x24\0\0\0WAVE',
    '.hidden.png': saved(RGB, 'PNG'),
  }
  for name, content in files.items():
    (tmp_path / name).write_bytes(content)
  (tmp_path / 'f.png').symlink_to('nowhere')
  os.mkfifo(tmp_path / 'g.png')
  assert attribute(trained, list_new_images(str(tmp_path))) == 1
  lines = {pathlib.Path(x['image']).name: x for x in read_lines(trained)}
  assert lines['a.jfif']['source'] and lines['b']['source']
  errors = {name: line['error'] for name, line in lines.items()}
  assert errors['c.mp4'] == 'an MP4 video, not an image'
  assert errors['d.txt'] == errors['meta.csv'] == 'text, not an image'
  assert 'a WAV sound' in errors['e.png']
  assert "a link to 'nowhere'" in errors['f.png']
  assert 'a named pipe' in errors['g.png'] and '.hidden.png' not in lines
  told = capsys.readouterr()
  assert '3  (unreadable)' in told.out and '3  (no image)' in told.out
  assert 'warning: no source of real images was trained' in told.out
  assert 'skipped, not images: 1 .csv, 1 .mp4, 1 .txt' in told.out
  # Each file that cannot be read is named once.
  assert (told.out + told.err).count('f.png') == 1
  assert 'MP4' not in told.err and 'WAV' in told.err


def test_a_video_has_a_line_and_one_for_each_frame_if_asked(trained, tmp_path):
  write_video(tmp_path / 'b.mp4', flat_frames(3, step=80))
  (tmp_path / 'a.png').write_bytes(saved(RGB, 'PNG'))
  scan = find_new_images([str(tmp_path)], videos=True)
  assert not scan.others
  assert find_new_images([str(tmp_path / 'b.mp4')], videos=True).images
  tables = []
  for frames in (False, True):
    out = tmp_path / f'{frames}.csv'
    assert attribute(trained, scan, out=str(out), frames=frames) == 0
    tables.append(read_csv(out))
  plain, every = tables
  assert [line['frames'] for line in plain] == ['', '3']
  assert [line['frame'] for line in every] == ['', '0', '1', '2', '']
  assert [every[0], every[4]] == plain
  assert all(line['source'] for line in every)


def test_heic_without_its_package_is_counted_once(
  trained, tmp_path, monkeypatch, capsys
):
  (tmp_path / 'a.png').write_bytes(saved(RGB, 'PNG'))
  shutil.copy(DATA / 'quarters.heic', tmp_path)
  monkeypatch.setattr(image_folders, 'can_decode_heic', lambda: False)
  assert attribute(trained, list_new_images(str(tmp_path))) == 1
  told = capsys.readouterr()
  assert '1  (unreadable)' in told.out and 'not images' not in told.out
  assert (told.out + told.err).count('quarters.heic') == 1


def test_an_image_over_the_limit_is_an_error_of_its_line(trained, tmp_path):
  (tmp_path / 'a.png').write_bytes(saved(RGB, 'PNG'))
  assert attribute(trained, list_new_images(str(tmp_path))) == 0
  assert attribute(trained, list_new_images(str(tmp_path)), max_pixels=99) == 1
  (line,) = read_lines(trained)
  assert 'more than --max_pixels=99; shrink' in line['error']


def test_images_of_another_size_than_in_training_are_reported(
  trained, tmp_path, capsys
):
  imagesets.write_set(tmp_path / 'like', per_class=1, size=48)
  imagesets.write_set(tmp_path / 'large', per_class=1, size=500)
  assert trained.dataset.description['original_sides']['median'] < 250
  attribute(trained, list_new_images(str(tmp_path / 'like')))
  assert 'warning: half of these images' not in capsys.readouterr().out
  attribute(trained, list_new_images(str(tmp_path / 'large')))
  assert 'warning: half of these images have a side of 500' in (
    capsys.readouterr().out
  )
