"""The parts of Trace, each alone and together, on one packed dataset.

python -m owdfa_jax.leaderboard --config=configs/ablation.py:simulated1 \
  --workdir=runs/ablation

A row without parts is CPL on RGB values, with the size of network and the
learning rate of Trace.
"""

import itertools
from typing import Any

import ml_collections

from owdfa_jax.configs import benchmarks, leaderboard, trace

# What each part of Trace is, by its name in the table.
PARTS = ('front end', 'whitening', 'rounds')


def get_config(benchmark: str = 'simulated1') -> ml_collections.ConfigDict:
  """Returns a leaderboard with a row for each choice of parts.

  Args:
    benchmark: a key of `configs.benchmarks.BENCHMARKS`.
  """
  config = leaderboard.get_config(benchmark)
  choices = itertools.product((False, True), repeat=len(PARTS))
  config.rows = tuple(_row(benchmark, *chosen) for chosen in choices)
  return config


def _row(
  benchmark: str, front_end: bool, whitening: bool, rounds: bool
) -> dict[str, Any]:
  """Returns the row of CPL with some of the parts of Trace."""
  settings: dict[str, Any] = {}
  if benchmarks.find(benchmark).settings.get('model.backbone') == 'small':
    settings |= trace.SMALL
  if front_end:
    settings |= trace.NETWORK
  if whitening:
    settings |= trace.READ_OUT
  if rounds:
    settings['stages.pretrain_epochs'] = 0
    settings['stages.whitening'] = 'pca_within_class' if whitening else 'none'
  chosen = zip(PARTS, (front_end, whitening, rounds), strict=True)
  return {
    'name': ' + '.join(part for part, on in chosen if on) or 'none',
    'config': 'staged:cpl' if rounds else 'cpl',
    'overrides': tuple(f'{k}={v}' for k, v in settings.items()),
  }
