"""Attribution of new images."""

import pathlib

import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from input_pipeline import faces
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.attribute import attribute

pytestmark = pytest.mark.usefixtures('quick_compile')


def read_lines(trained):
  return read_csv(trained.workdir / 'new_attributions.csv')


def test_every_new_image_gets_a_source(trained, tmp_path, capsys):
  imagesets.write_set(tmp_path / 'new', per_class=7, size=48, suffix='jpg')
  assert attribute(trained, str(tmp_path / 'new')) == 0
  lines = read_lines(trained)
  files = sorted(str(path) for path in (tmp_path / 'new').rglob('*.jpg'))
  assert [line['image'] for line in lines] == files
  assert {x['source'] for x in lines} <= {'m0', 'm1', 'novel-2', 'novel-3'}
  assert not any(x['error'] for x in lines)
  path = trained.workdir / 'new_attributions.csv'
  printed = capsys.readouterr().out
  assert printed.splitlines()[0].split() == ['images', 'source']
  assert f'written: {path}' in printed


def test_unreadable_image_is_reported_and_the_others_attributed(
  trained, tmp_path, capsys
):
  imagesets.write_set(tmp_path, per_class=3, size=48)
  files = sorted(str(path) for path in tmp_path.rglob('*.png'))
  pathlib.Path(files[1]).write_bytes(b'not an image')
  assert attribute(trained, str(tmp_path)) == 1
  lines = read_lines(trained)
  assert [line['image'] for line in lines] == files
  assert [bool(line['source']) for line in lines] == [
    i != 1 for i in range(len(files))
  ]
  assert 'not an image' in lines[1]['error'] and not lines[1]['output']
  told = capsys.readouterr()
  assert files[1] in told.err and '1  (unreadable)' in told.out


def test_faces_are_cut_out_as_in_training(trained, tmp_path, monkeypatch):
  imagesets.write_set(tmp_path, per_class=1, size=48)
  crops = []

  def make_detector(crop):
    def detect(image):
      crops.append(crop)
      return faces.FaceBox(0, 0, 24, 24)

    return detect

  monkeypatch.setattr(faces, 'detector', make_detector)
  arguments = trained.dataset.description['made']['arguments']
  monkeypatch.setitem(arguments, 'crop', 'opencv')
  attribute(trained, str(tmp_path))
  files = len(list(tmp_path.rglob('*.png')))
  assert crops == [faces.Crop('opencv', arguments['margin'], None)] * files


def test_folder_without_images_is_an_error(trained, tmp_path):
  with pytest.raises(UserError, match='no images'):
    attribute(trained, str(tmp_path))
