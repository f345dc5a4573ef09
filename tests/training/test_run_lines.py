"""The lines at the start and at the end of a training."""

import types

import numpy as np

from helpers.runs import tiny_experiment
from owdfa_jax.training import run_lines


def test_the_first_line_says_what_trains_where(packed, tmp_path):
  experiment = tiny_experiment(packed, tmp_path / 'run')
  training = types.SimpleNamespace(num_steps=1200, steps_per_epoch=600)
  params = {'a': np.zeros((3, 500)), 'b': np.zeros(4)}
  line = run_lines.start_line(experiment, training, params, 0)
  assert line == (
    'training CPL on 8 x cpu: small, 1,504 parameters, 16 images a step, '
    f'1,200 steps, 600 an epoch; writes to {tmp_path}/run'
  )
  line = run_lines.start_line(experiment, training, params, 60)
  assert ' from step 60 on; writes' in line


def test_the_last_line_has_the_memory(monkeypatch):
  assert run_lines.peak_host_bytes() > 2**20
  monkeypatch.setattr(run_lines, 'peak_host_bytes', lambda: 3 * 2**29)
  line = 'most memory: 1.5 GiB of this process'
  assert run_lines.memory_line() == line
  stats = iter([2**31, 2**30, *[0] * 8])
  monkeypatch.setattr(
    run_lines, 'memory_stats', lambda _: {'peak_bytes_in_use': next(stats)}
  )
  assert run_lines.memory_line() == f'{line}, 2.0 GiB of a device'
