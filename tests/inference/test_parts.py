"""Attributions whose parts the workers of a runner write."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

from helpers import fake_beam, imagesets
from helpers.csv_files import read_csv
from helpers.paths import ROOT
from helpers.video_files import flat_frames, write_video
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.new_images import find_new_images
from owdfa_jax.inference import attribute as attribution
from owdfa_jax.inference import part_worker
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.parts import Parts
from owdfa_jax.inference.run import TrainedRun

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture
def scan(tmp_path, monkeypatch):
  """Images in five parts, a video, a text, and a file that cannot be read."""
  monkeypatch.setattr(attribution, 'IMAGES_PER_PART', 5)
  photos = tmp_path / 'photos'
  imagesets.write_set(photos, known=1, novel=0, per_class=20, size=48)
  (photos / '0' / '7.png').write_bytes(b'\x89PNG\r\n\x1a\n')
  write_video(photos / '0' / '9a.mp4', flat_frames(3, step=80))
  return find_new_images([str(photos)], videos=True)


@pytest.fixture
def loaded(monkeypatch):
  """The folders of the runs that workers load, one after the other."""
  found = []
  open_run = part_worker.open_run

  def opened(workdir, **options):
    found.append(workdir)
    return open_run(workdir, **options)

  monkeypatch.setattr(part_worker, 'open_run', opened)
  monkeypatch.setattr(part_worker, '_LOADED', {})
  return found


def attribute_with(runner, run, scan, out):
  status = attribute(run, scan, out=str(out), frames=True, runner=runner)
  assert status == 1  # an image cannot be read
  return out


def test_the_table_is_that_of_one_machine(
  trained, scan, tmp_path, monkeypatch, loaded, capsys
):
  here = attribute_with('local', trained, scan, tmp_path / 'here.csv')
  said = capsys.readouterr().out.replace(str(here), 'OUT')
  fake_beam.install(monkeypatch)
  far = attribute_with('DirectRunner', trained, scan, tmp_path / 'far.csv')
  assert far.read_bytes() == here.read_bytes()
  before, table = said.split('images  source', 1)
  assert capsys.readouterr().out.replace(str(far), 'OUT') == (
    f'{before}21 images in 5 parts for DirectRunner\nimages  source{table}'
  )
  assert loaded == [str(trained.workdir)]
  assert sorted(os.listdir(tmp_path)) == ['far.csv', 'here.csv', 'photos']


def test_what_is_finished_is_not_done_again(
  trained, scan, tmp_path, monkeypatch, loaded, capsys
):
  """A worker is lost after two parts; then one machine goes on."""
  out = tmp_path / 'out.csv'
  fake_beam.install(monkeypatch)
  answer_part, parts = part_worker.answer_part, []

  def lost_after_two(part):
    if len(parts) == 2:
      raise OSError('the worker is gone')
    parts.append(part)
    answer_part(part)

  with monkeypatch.context() as patch:
    patch.setattr(attribution, 'answer_part', lost_after_two)
    with pytest.raises(UserError, match='DirectRunner failed: the worker is'):
      attribute_with('DirectRunner', trained, scan, out)
  assert not out.exists()
  changed = pathlib.Path(scan.images[0])
  changed.write_bytes(changed.read_bytes() + b'\0')
  asked, stream = [], TrainedRun.stream

  def counted(self, images, **options):
    asked.extend(images)
    return stream(self, images, **options)

  capsys.readouterr()
  monkeypatch.setattr(TrainedRun, 'stream', counted)
  attribute_with('local', trained, scan, out)
  assert 'goes on: 9 files with an answer' in capsys.readouterr().out
  assert asked == [scan.images[0], *scan.images[10:]]
  lines = [x for x in read_csv(out) if not x['frame']]
  assert sorted(x['image'] for x in lines) == sorted(
    [*scan.images, *scan.others, *scan.unreadable]
  )
  assert not os.path.exists(Parts(out).folder)


@pytest.mark.parametrize(
  ('damage', 'message'),
  [
    ('runs', 'no answers in .*workers must write to the same folder'),
    ('settings', 'a worker has another run in .*same files'),
    ('table', 'unfinished answers by something else: .*out.csv.parts: '),
  ],
)
def test_workers_that_see_something_else_are_named(
  trained, scan, tmp_path, monkeypatch, loaded, damage, message
):
  fake_beam.install(monkeypatch, runs=damage != 'runs')
  task_of = attribution.task_of
  if damage == 'settings':
    monkeypatch.setattr(
      attribution,
      'task_of',
      lambda *x: task_of(*x) | {'frames': 'other'},
    )
  if damage == 'table':
    parts = Parts(tmp_path / 'out.csv')
    (part,) = parts.write({}, ['a.png'], 1)
    part_worker.write_answers(part, {'checkpoint': 'other'}, [])
  with pytest.raises(UserError, match=message):
    attribute_with('DirectRunner', trained, scan, tmp_path / 'out.csv')


def test_a_missing_beam_is_named(trained, scan, tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'apache_beam', None)
  with pytest.raises(UserError, match='--runner=FlinkRunner: Apache Beam is'):
    attribute_with('FlinkRunner', trained, scan, tmp_path / 'out.csv')


@pytest.mark.skipif(
  importlib.util.find_spec('apache_beam') is None,
  reason='Apache Beam is not installed',
)
def test_the_direct_runner_changes_nothing(trained, scan, tmp_path):
  tables = []
  for runner in ('local', 'DirectRunner'):
    tables.append(tmp_path / f'{runner}.csv')
    done = subprocess.run(
      [sys.executable, '-m', 'owdfa_jax.commands.owdfa', 'attribute']
      + [f'--workdir={trained.workdir}', f'--out={tables[-1]}', '--frames']
      + [f'--runner={runner}', str(tmp_path / 'photos')],
      cwd=ROOT,
      capture_output=True,
      text=True,
    )
    assert done.returncode == 1, done.stderr
    assert 'Traceback' not in done.stderr
  assert tables[0].read_bytes() == tables[1].read_bytes()
