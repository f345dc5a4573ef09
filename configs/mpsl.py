"""MPSL, multi-perspective sensory learning (IJCV 2025).

python main.py --config=configs/mpsl.py:owdfa4 --workdir=runs/mpsl_owdfa4
"""

import ml_collections

from owdfa_jax.configs import benchmarks, cpl


def get_config(benchmark: str = 'owdfa4') -> ml_collections.ConfigDict:
  """Returns the settings of MPSL on `benchmark`: CPL's, more voters."""
  config = cpl.get_config(benchmark)
  config.method.name = 'mpsl'
  config.method.params.pseudo_filter = 'none'
  benchmarks.adapt(config, benchmark)
  return config
