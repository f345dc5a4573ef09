"""ORCA (ICLR 2022): uncertainty-adaptive margin, pairs across views.

python main.py --config=configs/orca.py:owdfa1 --workdir=runs/orca_owdfa1

All ACC on simulated1, one CPU core, three seeds: 76.4 ± 0.6 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of ORCA on `benchmark`."""
  config = default.get_config('orca', benchmark)
  benchmarks.apply_method(config, benchmark)
  return config
