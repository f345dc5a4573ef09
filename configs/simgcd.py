"""SimGCD (ICCV 2023): cosine prototypes, self-distillation.

python main.py --config=configs/simgcd.py:owdfa1 --workdir=runs/simgcd_owdfa1
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of SimGCD on `benchmark`."""
  config = default.get_config(benchmark)
  config.method.name = 'simgcd'
  params = config.method.params
  params.supervised_weight = 0.35
  params.entropy_weight = 2.0
  params.teacher_temperature = 0.07
  params.final_teacher_temperature = 0.04
  params.warm_up = 0.15
  params.unsupervised_temperature = 1.0
  params.supervised_temperature = 0.07
  params.projection = 256
  benchmarks.adapt(config, benchmark)
  return config
