"""Tests of the times of a step's parts."""

import pytest

from helpers.runs import tiny_experiment
from owdfa_jax.training import timing

pytestmark = pytest.mark.usefixtures('quick_compile')


def test_parts_add_up_to_a_step_and_are_printed(packed, tmp_path, capsys):
  experiment = tiny_experiment(packed, tmp_path / 'run')
  seconds = timing.time_step(experiment)
  parts = ('augmentation', 'network', 'method')
  assert seconds['step'] == pytest.approx(sum(seconds[name] for name in parts))
  assert min(seconds['input'], seconds['network'], seconds['step']) > 0
  printed = capsys.readouterr().out
  for name in (*parts, 'input', 'step'):
    assert f'\n{name} ' in printed
  assert not (tmp_path / 'run').exists()


def test_a_part_below_0_is_too_small_to_measure(packed, tmp_path, capsys):
  experiment = tiny_experiment(packed, tmp_path)
  timing.print_parts(experiment, 16, {'method': -0.001, 'step': 0.5})
  printed = capsys.readouterr().out
  assert 'too small to measure' in printed and '-' not in printed
  assert '500.0 ms  100.0 %' in printed


def test_median_ignores_the_first_round(monkeypatch):
  """The first round compiles; here it takes 100 seconds."""
  now = [0.0]
  durations = iter([100.0] + [1.0] * timing.ROUNDS)
  monkeypatch.setattr(timing.time, 'perf_counter', lambda: now[0])

  def part():
    now[0] += next(durations)

  assert timing.median_seconds({'part': part}) == {'part': 1.0}
