"""SimGCD (ICCV 2023): cosine prototypes, self-distillation.

python main.py --config=configs/simgcd.py:owdfa1 --workdir=runs/simgcd_owdfa1

All ACC on simulated1, one CPU core, three seeds: 68.6 ± 1.9 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of SimGCD on `benchmark`."""
  config = default.get_config('simgcd', benchmark)
  benchmarks.apply_method(config, benchmark)
  return config
