"""CPL, contrastive pseudo learning (ICCV 2023).

python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl_owdfa1

With CDAL (ICCV 2025), whose learning rate and weight decay are the square root
of 2 times as large:
--config.method.params.counterfactual=True --config.model.dropout=0.3
--config.optimizer.learning_rate=2.83e-4 --config.optimizer.weight_decay=1.41e-5

All ACC on simulated1, one CPU core, three seeds: 75.0 ± 2.4 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of CPL on `benchmark`."""
  config = default.get_config('cpl', benchmark)
  benchmarks.apply_method(config, benchmark)
  return config
