"""CPL, contrastive pseudo learning (ICCV 2023).

python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl_owdfa1
"""

import ml_collections

from owdfa_jax.configs import benchmarks, default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of CPL on `benchmark`."""
  config = default.get_config(benchmark)
  config.method.name = 'cpl'
  params = config.method.params
  params.margin = 0.2
  params.voting_weight = 0.5
  params.pseudo_weight = 0.5
  params.entropy_weight = 1.0
  params.vote_rule = 'value'
  params.pseudo_filter = 'vote'
  params.detach_confidence = False
  # CDAL (ICCV 2025); its runs have model.dropout=0.3 and both the learning
  # rate and weight decay times the square root of 2.
  params.counterfactual = False
  params.effect_weight = 0.5
  params.match_weight = 0.2
  benchmarks.adapt(config, benchmark)
  return config
