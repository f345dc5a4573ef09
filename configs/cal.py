"""CAL, confidence-aware asymmetric learning (AAAI 2026).

python main.py --config=configs/cal.py:owdfa40_1 --workdir=runs/cal_owdfa40_1

Without knowing how many classes there are:
--config.method.params.estimate_classes=True
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa40_1') -> ml_collections.ConfigDict:
  """Returns the settings of CAL on `benchmark`."""
  config = default.get_config(benchmark)
  config.method.name = 'cal'
  params = config.method.params
  params.consistency_weight = 0.2
  params.uniformity_weight = 1.0
  params.known_threshold = 0.9
  params.pseudo_from_epoch = 5
  params.estimate_classes = False
  params.prototypes_per_known = 10
  params.prune_from_epoch = 0
  params.parity_merge = False
  config.optimizer.weight_decay = 1e-3
  config.optimizer.decay_factor = 0.05
  config.eval.metric = 'all_acc'
  benchmarks.adapt(config, benchmark)
  return config
