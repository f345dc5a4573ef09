"""Upper bound: cross entropy with the labels of *every* training row.

A yardstick of the benchmark, not a method: it is told what the others must
discover.

python main.py --config=configs/upper_bound.py:owdfa1 --workdir=runs/upper
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of the all-labels upper bound on `benchmark`."""
  config = default.get_config(benchmark)
  config.method.name = 'supervised'
  config.data.supervision = 'all'
  benchmarks.adapt(config, benchmark)
  return config
