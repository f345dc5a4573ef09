"""The tables of reading times; the times themselves are not tested."""

import pytest

from input_pipeline import progress_bars, read_costs, read_timing
from input_pipeline.read_costs import Codec


def test_speeds_are_compared_with_the_bare_loop():
  report = read_costs.reading_report(
    {'decode': 2000.0, '1 thread': 1500.0, '2 processes': 3000.0}
  )
  lines = [line.split() for line in report.splitlines()]
  assert lines[1] == ['decode', '2000', '1.00']
  assert lines[2][-2:] == ['1500', '0.75']
  assert lines[3][-2:] == ['3000', '1.50']


def test_codecs_are_tabulated():
  report = read_costs.codecs_report({'png': Codec(9410, 1e-3, 5e-4)})
  assert report.splitlines()[1].split() == ['png', '9.41', '1000', '2000']


def test_command(packed, capsys):
  flags = '--batch_size=4 --batches=1 --threads=0,1,2,1 --processes=1'
  read_timing.main([f'--data={packed}', *flags.split()])
  printed = capsys.readouterr()
  warning, *progress = printed.err.splitlines()
  assert 'too few batches to time 2 threads' in warning
  assert progress == [
    *(f'timing reading: round {i} of 5' for i in range(1, 6)),
    *(f'timing images stored as {name}' for name in read_costs.CODECS),
  ]
  reading, codecs = printed.out.split('\n\n')
  assert [line.split('  ')[0] for line in reading.splitlines()] == [
    'reading',
    'decode',
    'decode by OpenCV',
    'read and decode',
    '0 threads',
    '1 thread',
    '2 threads',
    '1 process',
  ]
  assert codecs.startswith('The first 4 images of ')
  sizes = {
    line.split('  ')[0]: float(line.split()[-3])
    for line in codecs.splitlines()[2:]
  }
  assert list(sizes) == list(read_costs.CODECS)
  # Lossy.
  assert sizes['jpeg, quality 95'] < sizes['png']


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    ('--batches=0', 'out of range: --batches=0'),
    ('--threads=1,x', 'wrong type: --threads=x; give a whole number from 0 to'),
    ('--threads=²', 'wrong type: --threads='),
    ('--threads=-1', 'out of range: --threads=-1'),
    ('--processes=0', 'out of range: --processes=0'),
  ],
)
def test_bad_arguments(flags, message, packed, capsys):
  with pytest.raises(SystemExit) as ended:
    read_timing.main([f'--data={packed}', flags])
  assert ended.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert message in line


def test_quiet(packed, capsys, monkeypatch):
  monkeypatch.setattr(progress_bars._Quiet, 'quiet', False)
  flags = '--batch_size=4 --batches=4 --threads=1 --processes=1 -q'
  read_timing.main([f'--data={packed}', *flags.split()])
  assert capsys.readouterr().err == ''


@pytest.mark.parametrize('size', [4096, 3])
def test_a_batch_that_does_not_fit_is_named_as_the_flag(size, packed, capsys):
  with pytest.raises(SystemExit) as ended:
    read_timing.main([f'--data={packed}', f'--batch_size={size}'])
  assert ended.value.code
  line = capsys.readouterr().err.splitlines()[-1]
  assert f' --batch_size={size}' in line and 'config' not in line
