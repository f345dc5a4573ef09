"""Staged training: supervised, then a method, then rounds of pseudo-labels.

In each round the network is trained with its own confident predictions as
labels. Settings of the method (--config.method.params, epochs, optimizer) hold
for its stages too.

python main.py --config=configs/staged.py:mpsl,owdfa4 --workdir=runs/staged

All ACC of CPL on simulated1, one CPU core, three seeds: 83.2 ± 0.4
(docs/results.md).
"""

import ml_collections

from input_pipeline.errors import check_choice
from owdfa_jax import configs
from owdfa_jax.configs import benchmarks
from owdfa_jax.methods.parameters import PARAMETERS

STAGED_METHODS = tuple(name for name in PARAMETERS if name != 'supervised')
# What can be trained in stages: methods, and Trace, which is CPL on a network
# that sees the traces of generators. It needs no supervised stage, and its
# features are to be whitened.
STAGED_CONFIGS = (*STAGED_METHODS, 'trace')
TRACE = {'pretrain_epochs': 0, 'whitening': 'pca_within_class'}


def get_config(argument: str = 'cpl,owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of a method on a benchmark, in stages.

  Args:
    argument: METHOD,BENCHMARK, METHOD being one of `STAGED_CONFIGS`; the
      benchmark alone means CPL on it.
  """
  method, _, benchmark = argument.rpartition(',')
  method = method or 'cpl'
  check_choice('method', method, STAGED_CONFIGS)
  config = configs.load(method, benchmark)
  config.stages = stages = ml_collections.ConfigDict()
  # Epochs of the supervised stage; 0 leaves it out. The method's own stage has
  # config.epochs.
  stages.pretrain_epochs = 10
  # Number of rounds of pseudo-labels.
  stages.rounds = 2
  # Epochs of each round.
  stages.round_epochs = 20
  # The rounds start from a trained network, so the method's learning rate is
  # multiplied by this.
  stages.round_learning_rate_factor = 0.5
  # What labels the unlabelled images: the 'head', or 'clusters' of features.
  stages.label_by = 'clusters'
  # How features are whitened before they are clustered: 'none' as in earlier
  # versions; 'within_class', 'pca', 'pca_within_class', or 'auto', which takes
  # what finds held-out known classes best.
  stages.whitening = 'none'
  # Of the images given to a class, this share keeps the label, the most
  # confident first.
  stages.keep_share = 0.5
  # The least confidence of an image that keeps its label. It is the head's
  # probability, or for clusters 1 - distance to the own centre / distance to
  # the next one.
  stages.keep_confidence = 0.0
  # If the test split selected the epoch that labels the images, test labels
  # would influence training.
  config.eval.selection = 'last'
  settings = benchmarks.find(benchmark).stages
  if method == 'trace':
    settings = settings | TRACE
  for name, value in settings.items():
    stages[name] = value
  return config
