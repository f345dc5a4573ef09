"""Packing by Apache Beam gives the same directory as packing here."""

import importlib.util
import subprocess
import sys

import pytest

from helpers import fake_beam
from helpers.imagesets import write_set
from helpers.paths import ROOT
from input_pipeline import pack, packing
from input_pipeline.errors import UserError

PHOTO = ROOT / 'tests' / 'data' / 'face.jpg'
BEAM = pack.Resources(runner='DirectRunner')
CHOICES = [('none', 0), ('opencv', 0), ('none', 3)]
needs_beam = pytest.mark.skipif(
  importlib.util.find_spec('apache_beam') is None,
  reason='Apache Beam is not installed',
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
  message = '--runner=FlinkRunner: Apache Beam.*pip install owdfa-jax.beam'
  with pytest.raises(UserError, match=message):
    packing.write_pack(write_set(tmp_path), tmp_path / 'out', None, resources)
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(('crop', 'tiles'), CHOICES)
def test_tasks_and_results_lose_nothing(tmp_path, monkeypatch, crop, tiles):
  csv = write_set(tmp_path / 'images', suffix='jpg', size=32)
  (csv.parent / '1' / '3.jpg').write_bytes(PHOTO.read_bytes())
  (csv.parent / '1' / '4.jpg').write_bytes(b'')
  options = pack.Options(
    size=16, shards=2, crop=crop, tiles=tiles, on_error='skip'
  )
  fake_beam.install(monkeypatch)
  local = pack.Resources(workers=1)
  for name, resources in ('a', local), ('b', BEAM):
    packing.write_pack(csv, tmp_path / name / 'out', options, resources)
  assert content(tmp_path / 'a' / 'out') == content(tmp_path / 'b' / 'out')
  if crop == 'opencv':
    one, two = (tmp_path / name / 'out.detections.jsonl' for name in 'ab')
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
  ('workers', 'message'),
  [
    ({'runs': False}, 'no result for .*the same folder as this machine'),
    ({'sees_tasks': False}, 'does not see the output folder; put it on'),
  ],
)
def test_a_folder_that_is_not_shared_is_named(
  tmp_path, monkeypatch, workers, message
):
  csv = write_set(tmp_path)
  fake_beam.install(monkeypatch, **workers)
  with pytest.raises(UserError, match=message):
    packing.write_pack(csv, tmp_path / 'out', pack.Options(size=16), BEAM)
  assert not (tmp_path / 'out').exists()


@needs_beam
@pytest.mark.parametrize(('crop', 'tiles'), CHOICES)
def test_the_direct_runner_changes_no_byte(tmp_path, crop, tiles):
  csv = write_set(tmp_path / 'images', suffix='jpg', size=32)
  (csv.parent / '1' / '3.jpg').write_bytes(PHOTO.read_bytes())
  for name, runner in ('a', 'local'), ('b', 'DirectRunner'):
    out = tmp_path / name / 'out'
    choice = f'--crop={crop}', f'--tiles={tiles}'
    done = run(csv, out, f'--runner={runner}', *choice)
    assert done.returncode == 0, done.stderr
  assert content(tmp_path / 'a' / 'out') == content(tmp_path / 'b' / 'out')
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
