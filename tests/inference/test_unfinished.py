"""An attribution that is interrupted goes on where it stopped."""

import itertools
import json
import os

import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.new_images import find_new_images
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.run import TrainedRun
from owdfa_jax.inference.table_lock import lock_table
from owdfa_jax.inference.unfinished import what_differs

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture
def photos(tmp_path):
  imagesets.write_set(tmp_path / 'photos', known=1, novel=0, per_class=40)
  return tmp_path / 'photos' / '0'


@pytest.fixture
def stopped(trained, photos, tmp_path, monkeypatch):
  """The table of an attribution that was interrupted after 20 answers."""
  stream = TrainedRun.stream

  def stopping(self, images, **options):
    answers = stream(self, images, **options)
    yield from itertools.islice(answers, 20)
    raise KeyboardInterrupt

  out = tmp_path / 'out.csv'
  with (
    monkeypatch.context() as patch,
    pytest.raises(
      KeyboardInterrupt, match='the same command goes on with the images'
    ),
  ):
    patch.setattr(TrainedRun, 'stream', stopping)
    attribute(trained, find_new_images([str(photos)]), out=str(out))
  assert not out.exists()
  return out


def unfinished(out):
  return out.with_name('out.csv.unfinished')


def test_it_goes_on(trained, photos, stopped, capsys):
  scan = find_new_images([str(photos)])
  # The line that was being written, and a file that changed since.
  with open(unfinished(stopped), 'a') as file:
    file.write('{"image": "')
  (photos / '0.png').write_bytes((photos / '1.png').read_bytes() + b'\0')
  assert attribute(trained, scan, out=str(stopped)) == 0
  assert 'goes on: 19 files with an answer' in capsys.readouterr().out
  lines = {line['image']: line for line in read_csv(stopped)}
  assert sorted(lines) == scan.images
  assert not unfinished(stopped).exists()


def test_the_table_is_that_of_a_whole_attribution(
  trained, photos, stopped, tmp_path
):
  scan = find_new_images([str(photos)])
  whole = tmp_path / 'whole.csv'
  for out in (stopped, whole):
    assert attribute(trained, scan, out=str(out)) == 0
  assert stopped.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
  ('before', 'words'),
  [
    ({'a': 1, 'checkpoint': 'x'}, 'another checkpoint'),
    ({'a': 1, 'parts': {'8': 'x'}}, 'clusters split otherwise'),
    ({'a': 1, 'names': {}, 'classes': []}, 'other names'),
    ({'a': 2}, 'another --a'),
    (None, 'a damaged first line'),
  ],
)
def test_what_differs_is_said_in_words(before, words):
  assert what_differs(before, {'a': 1}) == words


@pytest.mark.parametrize(
  'edit',
  [
    lambda lines: [x.replace('"output": ', '"output": 9') for x in lines],
    lambda lines: lines[:4] + lines[5:],
    lambda lines: lines[:4] + lines[3:],
    lambda lines: lines[:4] + [lines[4].split('\t')[0] + '\n'] + lines[5:],
    lambda lines: [*lines[:4], '[1]\n', *lines[4:]],
    lambda lines: [],
  ],
  ids=['changed', 'left out', 'twice', 'no checksum', 'a list', 'empty'],
)
def test_answers_that_were_edited_are_found_again(
  trained, photos, stopped, tmp_path, edit
):
  path = unfinished(stopped)
  path.write_text(''.join(edit(path.read_text().splitlines(keepends=True))))
  scan = find_new_images([str(photos)])
  assert attribute(trained, scan, out=str(stopped)) == 0
  lines = read_csv(stopped)
  assert [line['image'] for line in lines] == scan.images


def test_answers_of_something_else_are_refused(trained, photos, stopped):
  scan = find_new_images([str(photos)])
  with pytest.raises(
    UserError, match=r'\(another --max_pixels\); remove it, or'
  ):
    attribute(trained, scan, max_pixels=999, out=str(stopped))
  unfinished(stopped).write_text(json.dumps([1]) + '\n')
  with pytest.raises(UserError, match='damaged file: .*unfinished'):
    attribute(trained, scan, out=str(stopped))


def test_one_command_at_a_time_writes_a_table(trained, photos, tmp_path):
  scan, out = find_new_images([str(photos)]), tmp_path / 'new' / 'out.csv'
  with (
    lock_table(out),
    pytest.raises(
      UserError, match='another attribution writes the table: .*ou'
    ),
  ):
    attribute(trained, scan, out=str(out))
  assert os.listdir(out.parent) == []
  # What a process leaves that was killed does no harm.
  out.with_name('out.csv.lock').touch()
  assert attribute(trained, scan, out=str(out)) == 0
  assert os.listdir(out.parent) == ['out.csv']


def test_a_folder_that_cannot_be_written(trained, photos, tmp_path):
  (tmp_path / 'file').touch()
  out = tmp_path / 'file' / 'out.csv'
  with pytest.raises(UserError, match='cannot write the attributions: .*give'):
    attribute(trained, find_new_images([str(photos)]), out=str(out))
