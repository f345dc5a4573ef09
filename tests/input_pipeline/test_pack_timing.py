"""The table of packing times; the times themselves are not tested."""

import shutil
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from input_pipeline import pack_costs, pack_timing
from input_pipeline.pack_costs import Costs


def test_the_report_adds_up():
  costs = Costs(
    load=0.002,
    store=0.006,
    feed=0.001,
    resize=0.001,
    detect={'dlib': 0.02},
    found={'dlib': 0.5},
  )
  lines = pack_costs.timing_report(costs, 7).splitlines()
  assert lines[0] == '7 images, one core'
  assert lines[4].split() == ['pack', '8.00', '125']
  assert lines[5].split()[-3:] == ['found', 'in', '50%']
  assert lines[6].split() == ['pack', '--crop=dlib', '28.00', '36']
  # 50 x (2 + 20 + 1) ms against 28 + 50 x 1 ms.
  assert lines[-1].startswith('dlib, 50 epochs: 1.15 s an image')
  assert lines[-1].endswith('0.08 s if once: 14.7 times as long')


def test_every_part_is_timed(tmp_path):
  photo = ROOT / 'tests' / 'data' / 'face.jpg'
  paths = [str(photo)] * 2
  costs = pack_costs.measure_costs(paths, 64)
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
  assert done.stdout.startswith('1 image, one core\n')


@pytest.mark.parametrize(
  ('extra', 'message'),
  [
    ([], 'no images below {}; choose another --images'),
    (
      ['--limit=0'],
      'out of range: --limit=0; give a whole number from 1 to 1000000',
    ),
    (
      ['--size=0'],
      'out of range: --size=0; give a whole number from 8 to 4096',
    ),
  ],
)
def test_nothing_to_time_is_one_line(tmp_path, extra, message, capsys):
  with pytest.raises(SystemExit):
    pack_timing.main([f'--images={tmp_path}', *extra])
  assert capsys.readouterr().err == f'error: {message.format(tmp_path)}\n'
