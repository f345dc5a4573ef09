"""Packing by Apache Beam: the same directory, record for record."""

import dataclasses
import importlib.util
import json
import subprocess
import sys

import pytest

from helpers.imagesets import write_set
from helpers.paths import ROOT
from input_pipeline import beam, pack, shards
from input_pipeline.errors import UserError
from input_pipeline.faces import Crop, Face

PHOTO = ROOT / 'tests' / 'data' / 'face.jpg'
needs_beam = pytest.mark.skipif(
  importlib.util.find_spec('apache_beam') is None,
  reason='Apache Beam is not installed (requirements-beam.txt)',
)


def run(csv, out, *extra):
  module = [sys.executable, '-m', 'input_pipeline.pack']
  words = [*module, f'--meta={csv}', f'--out={out}', '--size=16', '--shards=2']
  return subprocess.run(
    [*words, *extra], cwd=ROOT, capture_output=True, text=True
  )


def content(folder):
  return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_missing_beam_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'apache_beam', None)
  resources = pack.Resources(runner='FlinkRunner')
  message = '--runner=FlinkRunner: .*pip install -r requirements-beam.txt'
  with pytest.raises(UserError, match=message):
    pack.write(write_set(tmp_path), tmp_path / 'out', None, resources)
  assert not (tmp_path / 'out').exists()


ROW = shards.Row(4, 'f', 'i', 1, 2, 'm', 't', 's')


def a_shard(folder, crop=None):
  encoding = shards.Encoding(16, 'png', 95, False)
  return shards.Shard(
    'train', 0, str(folder), 'name', (ROW,), encoding, crop, True
  )


def test_what_goes_to_a_worker_and_back_is_the_same():
  for crop in (None, Crop('dlib', 1.2, 'points')):
    shard = a_shard('folder', crop)
    assert beam._shard(through_json(shard)) == shard
  written = shards.Written(
    shard,
    records=[shards.Packed(3, 12, 99, 'png', 'ab', True)],
    skipped=[(ROW, 'why')],
    detected={'ab': Face(1, 2, 3, 4, 0.5), 'cd': None},
    size=120,
    sha256='ef',
  )
  fields = through_json(written)
  del fields['shard']
  assert beam._written(shard, fields) == written


def through_json(thing):
  return json.loads(json.dumps(dataclasses.asdict(thing)))


def test_a_folder_that_is_not_shared_is_named(tmp_path):
  with pytest.raises(UserError, match='no result for .*the same folder'):
    beam._collect([a_shard(tmp_path)], print)
  beam._write(f'{tmp_path}/name', '')
  with pytest.raises(UserError, match='does not see the output folder'):
    beam._collect([a_shard(tmp_path)], print)


@needs_beam
@pytest.mark.parametrize('crop', ['none', 'opencv'])
def test_the_direct_runner_changes_no_byte(tmp_path, crop):
  csv = write_set(tmp_path / 'images', suffix='jpg')
  (csv.parent / '1' / '3.jpg').write_bytes(PHOTO.read_bytes())
  for name, runner in ('a', 'local'), ('b', 'DirectRunner'):
    out = tmp_path / name / 'out'
    done = run(csv, out, f'--runner={runner}', f'--crop={crop}')
    assert done.returncode == 0, done.stderr
  one, two = (content(tmp_path / name / 'out') for name in 'ab')
  assert len(one) == 11
  assert one == two
  found = [tmp_path / name / 'out.detections.jsonl' for name in 'ab']
  if crop == 'opencv':
    assert found[0].read_bytes() == found[1].read_bytes()


@needs_beam
def test_beam_writes_to_a_url(tmp_path):
  csv = write_set(tmp_path / 'images')
  done = run(csv, f'file://{tmp_path}/far/out', '--runner=DirectRunner')
  assert done.returncode == 0, done.stderr
  done = run(csv, tmp_path / 'near' / 'out')
  assert content(tmp_path / 'far/out') == content(tmp_path / 'near/out')


@needs_beam
def test_an_unreadable_image_is_one_line(tmp_path):
  csv = write_set(tmp_path / 'images')
  broken = csv.parent / '1' / '7.png'
  broken.write_bytes(b'')
  done = run(csv, tmp_path / 'out', '--runner=DirectRunner')
  assert done.returncode == 1
  error = done.stderr.splitlines()[-1]
  assert error.startswith(
    f'error: unreadable image: {broken}: the file is empty; '
  )
  assert error.endswith('--on_error skip')
  assert 'Traceback' not in done.stderr
  assert [p.name for p in tmp_path.iterdir()] == ['images']


@needs_beam
@pytest.mark.parametrize('bad', ['--direct_num_workers=many', '"'])
def test_bad_beam_options_are_no_traceback(tmp_path, bad):
  csv = write_set(tmp_path / 'images')
  options = f'--beam_options={bad}'
  done = run(csv, tmp_path / 'out', '--runner=DirectRunner', options)
  assert done.returncode != 0
  assert 'Traceback' not in done.stderr
  assert not (tmp_path / 'out').exists()
