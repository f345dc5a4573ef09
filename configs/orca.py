"""ORCA (ICLR 2022): uncertainty-adaptive margin, pairs across views.

python main.py --config=configs/orca.py:owdfa1 --workdir=runs/orca_owdfa1
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of ORCA on `benchmark`."""
  config = default.get_config(benchmark)
  config.method.name = 'orca'
  params = config.method.params
  params.margin_scale = 10.0
  params.pair_weight = 1.0
  params.entropy_weight = 1.0
  benchmarks.adapt(config, benchmark)
  return config
