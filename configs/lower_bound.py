"""Lower bound: cross entropy on the labelled rows, nothing else.

It never sees the unlabelled half, so it can only guess at novel classes.

python main.py --config=configs/lower_bound.py:owdfa1 --workdir=runs/lower
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of the supervised lower bound on `benchmark`."""
  config = default.get_config(benchmark)
  config.method.name = 'supervised'
  config.data.supervision = 'labelled'
  benchmarks.adapt(config, benchmark)
  return config
