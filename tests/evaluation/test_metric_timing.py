"""The command that times the metrics."""

import pytest

from input_pipeline import progress_bars
from owdfa_jax.evaluation import metric_timing


def test_a_line_for_each_size(capsys):
  metric_timing.main(['--predictions=20,60', '--classes=3,4'])
  printed = capsys.readouterr()
  lines = printed.out.splitlines()
  sizes = [tuple(map(int, line.split()[:2])) for line in lines[1:]]
  assert sizes == [(20, 3), (20, 4), (60, 3), (60, 4)]
  assert printed.err.splitlines() == [
    f'timing {n} predictions of {k} classes' for n, k in sizes
  ]


def test_quiet(capsys, monkeypatch):
  monkeypatch.setattr(progress_bars._Quiet, 'quiet', False)
  metric_timing.main(['--predictions=20', '--classes=3', '--quiet'])
  assert capsys.readouterr().err == ''


@pytest.mark.parametrize(
  ('flag', 'words'),
  [
    ('--predictions=1', 'out of range: --predictions=1;'),
    ('--predictions=-1', 'out of range: --predictions=-1;'),
    ('--classes=2,x', 'wrong type: --classes=x;'),
    ('--classes=-', 'wrong type: --classes=-;'),
  ],
)
def test_bad_numbers_are_one_line(flag, words, capsys):
  with pytest.raises(SystemExit) as stopped:
    metric_timing.main([flag])
  assert stopped.value.code == 2
  message = capsys.readouterr().err
  assert message.count('\n') == 1
  assert words in message
