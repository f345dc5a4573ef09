"""Files with odd names, and files that change while they are attributed."""

import os
import pathlib

import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.picture_cases import RGB, saved
from owdfa_jax.evaluation.new_images import find_new_images
from owdfa_jax.inference import attribute as attribution
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.run import TrainedRun

pytestmark = pytest.mark.usefixtures('quick_compile')


def test_names_that_are_not_utf_8_get_escapes_in_python(trained, tmp_path):
  place = os.fsencode(tmp_path)
  pathlib.Path(os.fsdecode(place + b'/a\xff.png')).write_bytes(
    saved(RGB, 'PNG')
  )
  names = [os.fsdecode(place + x) for x in (b'/a\xff.png', b'/no\xff.mp4')]
  answers = TrainedRun(trained).predict(names)
  assert [x.image for x in answers] == [
    f'{tmp_path}/a\\udcff.png',
    f'{tmp_path}/no\\udcff.mp4',
  ]
  assert answers[0].source and r'no\udcff.mp4: No such' in answers[1].error
  answers.to_csv(tmp_path / 'a.csv')
  lines = read_csv(tmp_path / 'a.csv')
  assert [x['image'] for x in lines] == [x.image for x in answers]


def test_images_of_odd_shapes(trained):
  run = TrainedRun(trained)
  shapes = [(1, 1), (2, 20_000), (20_000, 1)]
  answers = run.predict([np.zeros((*x, 3), np.uint8) for x in shapes])
  assert [x.side for x in answers] == [1, 20_000, 20_000]
  assert all(x.source for x in answers)


def test_files_that_vanish_have_lines_with_errors(
  trained, tmp_path, monkeypatch
):
  """Some before they are read, and one between its answer and its line."""
  imagesets.write_set(tmp_path / 'set', known=1, novel=0, per_class=120)
  scan = find_new_images([str(tmp_path / 'set' / '0')])
  stream = TrainedRun.stream

  def vanishing(self, images, **options):
    for number, answer in enumerate(stream(self, images, **options)):
      if number == 0:
        for path in [images[0], *images[-2:]]:
          pathlib.Path(path).unlink()
      yield answer

  monkeypatch.setattr(attribution.TrainedRun, 'stream', vanishing)
  out = tmp_path / 'out.csv'
  assert attribute(trained, scan, out=str(out)) == 1
  lines = read_csv(out)
  assert [x['image'] for x in lines] == scan.images
  assert lines[0]['source'] and not lines[0]['error']
  assert ['No such file' in x['error'] for x in lines[-3:]] == [0, 1, 1]
