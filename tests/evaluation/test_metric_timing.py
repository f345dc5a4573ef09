"""The command that times the metrics."""

import pytest

from owdfa_jax.evaluation import metric_timing


def test_a_line_for_each_size(capsys):
  metric_timing.main(['--predictions=20,60', '--classes=3,4'])
  lines = capsys.readouterr().out.splitlines()
  sizes = [tuple(map(int, line.split()[:2])) for line in lines[1:]]
  assert sizes == [(20, 3), (20, 4), (60, 3), (60, 4)]


@pytest.mark.parametrize('flag', ['--predictions=1', '--classes=2,x'])
def test_bad_numbers_are_one_line(flag, capsys):
  with pytest.raises(SystemExit) as stopped:
    metric_timing.main([flag])
  assert stopped.value.code == 2
  message = capsys.readouterr().err
  assert message.count('\n') == 1
  assert flag.split('=')[0] in message
