"""Upper bound: cross entropy with the labels of *every* training image.

It shows what the benchmark allows, and is no method: it is given the labels
that the methods must discover.

python main.py --config=configs/upper_bound.py:owdfa1 --workdir=runs/upper
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of the upper bound on `benchmark`."""
  config = default.get_config('supervised', benchmark)
  config.data.supervision = 'all'
  benchmarks.apply_method(config, benchmark)
  return config
