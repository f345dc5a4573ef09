"""MPSL, multi-perspective sensory learning (IJCV 2025).

python main.py --config=configs/mpsl.py:owdfa4 --workdir=runs/mpsl_owdfa4

All ACC on simulated1, one CPU core, three seeds: 73.3 ± 4.9 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa4') -> ml_collections.ConfigDict:
  """Returns the settings of MPSL on `benchmark`."""
  config = default.get_config('mpsl', benchmark)
  benchmarks.apply_method(config, benchmark)
  return config
