"""Lower bound: cross entropy on the labelled images alone.

The network never sees unlabelled images, so it can only guess novel classes.

python main.py --config=configs/lower_bound.py:owdfa1 --workdir=runs/lower

All ACC on simulated1, one CPU core, three seeds: 45.0 ± 0.0 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of the lower bound on `benchmark`."""
  config = default.get_config('supervised', benchmark)
  config.data.supervision = 'labelled'
  benchmarks.apply_method(config, benchmark)
  return config
