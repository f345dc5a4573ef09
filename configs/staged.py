"""Staged training: supervised, then a method from there, then rounds in which
its own sure predictions are labels.

python main.py --config=configs/staged.py:mpsl,owdfa4 --workdir=runs/staged

Whatever is set for the method (--config.method.params..., epochs, optimizer)
holds for its stages.
"""

import importlib

import ml_collections

from input_pipeline.errors import UserError
from owdfa_jax.configs import benchmarks

METHODS = ('cpl', 'mpsl', 'cal', 'orca', 'simgcd')


def get_config(which: str = 'cpl,owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of METHOD on BENCHMARK, in stages.

  Args:
    which: `METHOD,BENCHMARK`; the benchmark alone means CPL on it.
  """
  method, _, benchmark = which.rpartition(',')
  method = method or 'cpl'
  if method not in METHODS:
    raise UserError(
      f'unknown method: --config=...:{which}; give METHOD,BENCHMARK with one '
      f'of {", ".join(METHODS)}'
    )
  config = importlib.import_module(f'owdfa_jax.configs.{method}').get_config(
    benchmark
  )
  config.stages = stages = ml_collections.ConfigDict()
  # Epochs of the supervised stage; the method's own stage has `epochs`.
  stages.pretrain_epochs = 10
  # Rounds of pseudo-labels, and the epochs of each.
  stages.rounds = 2
  stages.round_epochs = 20
  # The rounds start from a trained network: their rate is this share of the
  # method's.
  stages.round_learning_rate_factor = 0.5
  # Who labels the unlabelled images: the 'head', or 'clusters' of features.
  stages.label_by = 'clusters'
  # Of each class they are given, the most confident share of its images keeps
  # it as label, if at least this confident: a probability by the head; by
  # clusters 1 - distance to the own centre / distance to the next.
  stages.keep_share = 0.5
  stages.keep_confidence = 0.0
  # Taking each stage's best epoch by the test split would let the test choose
  # the labels.
  config.eval.selection = 'last'
  for name, value in benchmarks.BENCHMARKS[benchmark].stages.items():
    stages[name] = value
  return config
