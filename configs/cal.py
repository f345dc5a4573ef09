"""CAL, confidence-aware asymmetric learning (AAAI 2026).

python main.py --config=configs/cal.py:owdfa40_1 --workdir=runs/cal_owdfa40_1

If the number of classes is unknown, CAL can estimate it:
--config.method.params.estimate_classes=True

All ACC on simulated1, one CPU core, three seeds: 68.6 ± 3.3 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa40_1') -> ml_collections.ConfigDict:
  """Returns the settings of CAL on `benchmark`."""
  config = default.get_config('cal', benchmark)
  config.optimizer.weight_decay = 1e-3
  config.optimizer.decay_factor = 0.05
  config.eval.metric = 'all_acc'
  benchmarks.apply_method(config, benchmark)
  return config
