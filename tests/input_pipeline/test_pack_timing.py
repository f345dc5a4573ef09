"""The packing benchmark adds up; its times are nobody's test."""

import shutil
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from input_pipeline import pack_timing
from input_pipeline.pack_timing import Costs


def test_the_report_adds_up():
  costs = Costs(
    load=0.002,
    store=0.006,
    feed=0.001,
    resize=0.001,
    detect={'dlib': 0.02},
    found={'dlib': 0.5},
  )
  lines = pack_timing.report(costs, 7).splitlines()
  assert lines[0] == '7 images, one core'
  assert lines[4].split() == ['pack', '8.00', '125']
  assert lines[5].split()[-3:] == ['found', 'in', '50%']
  assert lines[6].split() == ['pack', '--crop=dlib', '28.00', '36']
  # 50 x (2 + 20 + 1) ms against 28 + 50 x 1 ms.
  assert lines[-1].endswith(
    'dlib: 1.15 s an image detecting at every epoch, 0.08 s detecting once: '
    '14.7 times'
  )


def test_every_part_is_timed(tmp_path):
  photo = ROOT / 'tests' / 'data' / 'face.jpg'
  paths = [str(photo)] * 2
  costs = pack_timing.measure(paths, 64)
  assert costs.found['opencv'] == 1
  parts = (costs.load, costs.store, costs.feed, costs.detect['opencv'])
  assert min(parts) > 0
  assert costs.detect['opencv'] > costs.resize
  shutil.copy(photo, tmp_path / 'a.jpg')
  module = [sys.executable, '-m', 'input_pipeline.pack_timing']
  done = subprocess.run(
    [*module, f'--images={tmp_path}', '--size=64'],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.startswith('1 images, one core\n')


@pytest.mark.parametrize('extra', [[], ['--limit=0']])
def test_nothing_to_time_is_one_line(tmp_path, extra, monkeypatch, capsys):
  arguments = ['pack_benchmark', f'--images={tmp_path}', *extra]
  monkeypatch.setattr(sys, 'argv', arguments)
  with pytest.raises(SystemExit):
    pack_timing.main()
  error = capsys.readouterr().err
  assert error == f'error: no images to time below {tmp_path}\n'
