"""The leaderboard: every method with three seeds on one packed dataset.

python -m owdfa_jax.leaderboard --config=configs/leaderboard.py:simulated1 \
  --workdir=runs/leaderboard
"""

import ml_collections

from owdfa_jax.configs import benchmarks, trace


def get_config(benchmark: str = 'simulated1') -> ml_collections.ConfigDict:
  """Returns the rows of the leaderboard on `benchmark`.

  Args:
    benchmark: a key of `configs.benchmarks.BENCHMARKS`.
  """
  unknown_classes = benchmarks.find(benchmark).unknown_classes
  of_trace = trace.network(benchmark) | trace.READ_OUT
  config = ml_collections.ConfigDict()
  config.benchmark = benchmark
  config.seeds = (0, 1, 2)

  # Each row has a name, a config of this folder, and perhaps overrides, written
  # as main.py's --config.FIELD=VALUE takes them.
  config.rows = (
    {'name': 'spectrum', 'config': 'spectrum'},
    {'name': 'lower bound', 'config': 'lower_bound'},
    {'name': 'ORCA', 'config': 'orca'},
    {'name': 'SimGCD', 'config': 'simgcd'},
    {'name': 'CPL', 'config': 'cpl'},
    {'name': 'MPSL', 'config': 'mpsl'},
    {'name': 'CAL', 'config': 'cal'},
    {
      'name': 'CAL (classes unknown)',
      'config': 'cal',
      'overrides': (
        'method.params.estimate_classes=True',
        *unknown_classes,
      ),
    },
    {'name': 'CPL in stages', 'config': 'staged:cpl'},
    {'name': 'Trace', 'config': 'trace'},
    {'name': 'Trace in rounds', 'config': 'staged:trace'},
    {'name': 'upper bound', 'config': 'upper_bound'},
    {
      'name': 'upper bound (network of Trace)',
      'config': 'upper_bound',
      'overrides': tuple(f'{k}={v}' for k, v in of_trace.items()),
    },
    {
      'name': 'spectrum (all labels)',
      'config': 'spectrum',
      'overrides': ('data.supervision=all',),
    },
  )
  # Which checkpoint counts: that of the 'last' epoch or, as in the papers, the
  # one of the highest metric on the 'test' split.
  config.selection = 'last'
  config.metric = 'all_nmi'
  # Overrides for all rows; a row's own come after them. On the command line:
  # --config.shared=epochs=5 --config.shared=batch_size=64
  config.shared = ()

  # Rows ('CPL,MPSL') and seeds that this process trains, so that several can
  # share the work; empty means all. The table covers all finished runs, also
  # those of other processes.
  config.only_rows = ''
  config.only_seeds = ()
  return config
