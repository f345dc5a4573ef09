"""The benchmarks: their packed data, their classes, and settings for them."""

import dataclasses
from typing import Any

import ml_collections

from input_pipeline.errors import check_choice

# Training from scratch on 64-pixel images: the small network, and a higher
# learning rate that decays to zero. The rate was chosen on the upper bound.
SMALL: dict[str, Any] = {
  'model.backbone': 'small',
  'model.dtype': 'float32',
  'optimizer.learning_rate': 1e-3,
  'optimizer.schedule': 'cosine',
  'epochs': 20,
}
# Small enough for a few minutes on a CPU core.
SIMULATED = SMALL | {
  'model.width': 0.5,
  'optimizer.learning_rate': 2e-3,
  'epochs': 11,
}
# The papers' values are for a pretrained network and 50 epochs. When a network
# is trained from scratch:
# - Novel images fall into few outputs unless the term for equal use of the
#   outputs weighs more: twice as much in CPL, MPSL and ORCA (SimGCD's paper has
#   that value), and eight times as much in CAL, whose term contains a factor
#   1/2.
# - CAL has few epochs, so its pseudo-labels start after the first one. If it
#   pruned in the first epochs, it would keep too few outputs. The paper's
#   weight decay is too strong for a fresh network.
# - ORCA's full margin leaves little to learn from the labels while a network
#   is uncertain, and a fresh one is uncertain for long.
FROM_SCRATCH: dict[str, dict[str, Any]] = {
  'cpl': {'method.params.entropy_weight': 2.0},
  'mpsl': {'method.params.entropy_weight': 2.0},
  'orca': {
    'method.params.margin_scale': 1.0,
    'method.params.entropy_weight': 2.0,
  },
  'cal': {
    'method.params.pseudo_from_epoch': 1,
    'method.params.uniformity_weight': 8.0,
    'method.params.prune_from_epoch': 5,
    'optimizer.weight_decay': 1e-5,
  },
}
# For CAL with estimate_classes: the uniformity term keeps outputs from being
# pruned; halve its weight.
SCRATCH_UNKNOWN = ('method.params.uniformity_weight=4.0',)
SHORT_STAGES = {'pretrain_epochs': 4, 'round_epochs': 6}


@dataclasses.dataclass(frozen=True)
class Benchmark:
  """A packed dataset, its class counts, and settings for it.

  Attributes:
    path: the packed directory, as the documented commands write it.
    num_known: number of known classes; None reads it from the packed data.
    num_classes: number of known and novel classes; None reads it too.
    settings: settings that differ from the papers'.
    stages: settings of a staged run that differ from `configs/staged.py`.
    methods: for each method by name, settings that differ from its paper's.
    unknown_classes: further overrides, 'field=value', for CAL when it
      estimates the number of classes.
  """

  path: str
  num_known: int | None = None
  num_classes: int | None = None
  settings: dict[str, Any] = dataclasses.field(default_factory=dict)
  stages: dict[str, Any] = dataclasses.field(default_factory=dict)
  methods: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
  unknown_classes: tuple[str, ...] = ()


BENCHMARKS = {
  # OW-DFA (ICCV 2023): fakes; real and fake.
  'owdfa1': Benchmark('data/packed/owdfa1', 8, 20),
  'owdfa2': Benchmark('data/packed/owdfa2', 9, 22),
  # OW-DFA++ (IJCV 2025): the same with five diffusion classes.
  'owdfa3': Benchmark('data/packed/owdfa3', num_classes=25),
  'owdfa4': Benchmark('data/packed/owdfa4', num_classes=27),
  # OWDFA-40 (AAAI 2026): real merged, forty forgeries.
  'owdfa40_1': Benchmark('data/packed/owdfa40_1', 19, 41),
  'owdfa40_2': Benchmark('data/packed/owdfa40_2', 13, 41),
  'owdfa40_3': Benchmark('data/packed/owdfa40_3', 29, 41),
  # Simulated forgeries with the classes of Protocols 1 and 2.
  'simulated1': Benchmark(
    'data/packed/simulated1',
    num_known=8,
    num_classes=20,
    settings=SIMULATED,
    stages=SHORT_STAGES,
    methods=FROM_SCRATCH,
    unknown_classes=SCRATCH_UNKNOWN,
  ),
  'simulated2': Benchmark(
    'data/packed/simulated2',
    num_known=9,
    num_classes=22,
    settings=SIMULATED,
    stages=SHORT_STAGES,
    methods=FROM_SCRATCH,
    unknown_classes=SCRATCH_UNKNOWN,
  ),
  # Your own images; classes are read from the packed directory.
  'folder': Benchmark('data/packed/folder'),
  'folder64': Benchmark(
    'data/packed/folder',
    settings=SMALL,
    stages=SHORT_STAGES,
    methods=FROM_SCRATCH,
    unknown_classes=SCRATCH_UNKNOWN,
  ),
}
# The papers' names, such as "Protocol 2", mean the same benchmarks.
BENCHMARKS |= {f'protocol{n}': BENCHMARKS[f'owdfa{n}'] for n in (1, 2, 3, 4)}


def find(name: str) -> Benchmark:
  """Returns the benchmark called `name`.

  Raises:
    UserError: there is none.
  """
  check_choice('benchmark', name, BENCHMARKS)
  return BENCHMARKS[name]


def apply_data(config: ml_collections.ConfigDict, name: str) -> None:
  """Writes benchmark `name` into `config`: its data, and settings of any run.

  Raises:
    UserError: there is no such benchmark.
  """
  benchmark = find(name)
  config.data.path = benchmark.path
  config.data.num_known = benchmark.num_known
  config.data.num_classes = benchmark.num_classes
  config.update_from_flattened_dict(benchmark.settings)


def apply_method(config: ml_collections.ConfigDict, name: str) -> None:
  """Writes the settings of benchmark `name` for the config's method into it.

  This comes last in a method's config, so that they override the paper's.
  """
  settings = find(name).methods.get(config.method.name, {})
  config.update_from_flattened_dict(settings)
