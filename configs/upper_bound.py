"""Upper bound: cross entropy with the labels of *every* training image.

An upper limit for the benchmark, not a method: it trains on the labels that
methods must discover.

python main.py --config=configs/upper_bound.py:owdfa1 --workdir=runs/upper

All ACC on simulated1, one CPU core, three seeds: 95.6 ± 1.3 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of the upper bound on `benchmark`."""
  config = default.get_config('supervised', benchmark)
  config.data.supervision = 'all'
  benchmarks.apply_method(config, benchmark)
  return config
