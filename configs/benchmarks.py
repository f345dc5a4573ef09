"""What each benchmark fixes: where its packed data lies, and its classes."""

import dataclasses
from typing import Any

import ml_collections

from input_pipeline.errors import UserError

# From scratch on 64 pixels: the small network, and a higher rate decayed to
# zero. The rate was chosen on the upper bound.
SMALL = {
  'model.backbone': 'small',
  'model.dtype': 'float32',
  'optimizer.learning_rate': 1e-3,
  'optimizer.schedule': 'cosine',
  'epochs': 20,
}
# Sized for a CPU core and a few minutes.
SIMULATED = SMALL | {
  'model.width': 0.5,
  'optimizer.learning_rate': 2e-3,
  'epochs': 11,
}
# Papers set these for a pretrained network and 50 epochs. From scratch novel
# images fall into few outputs unless even usage weighs more: twice as much in
# CPL, MPSL and ORCA, as in SimGCD's paper, and eight times in CAL, which halves
# it. CAL's pseudo-labels begin after the first epoch; pruned in its first
# epochs it would keep too few outputs; and the strong weight decay of the paper
# leaves a fresh network too little. ORCA's full margin leaves nothing to learn
# of the labels while a network is uncertain, as it is for long.
FROM_SCRATCH: dict[str, dict[str, Any]] = {
  'cpl': {'method.params.entropy_weight': 2.0},
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
# Where CAL is not told the number of classes: even usage keeps outputs alive.
SCRATCH_UNKNOWN = ('method.params.uniformity_weight=4.0',)
SHORT_STAGES = {'pretrain_epochs': 4, 'round_epochs': 6}


@dataclasses.dataclass(frozen=True)
class Benchmark:
  """A packed dataset and the class counts it must have.

  Attributes:
    path: the packed directory, as the README's commands write it.
    num_known: known classes; `None` reads it from the packed data.
    num_classes: known and novel classes; `None` likewise.
    settings: of the run, where they are not the papers'.
    stages: of a staged run, where they are not those of `configs.staged`.
    methods: of a method, by its name, where they are not its paper's.
    unknown_classes: of CAL, as overrides, where it finds the number of classes.
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
  # Simulated forgeries with the class tables of Protocols 1 and 2.
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
# The papers speak of "Protocol 2"; both names are the same benchmark.
BENCHMARKS |= {f'protocol{n}': BENCHMARKS[f'owdfa{n}'] for n in (1, 2, 3, 4)}


def apply(config: ml_collections.ConfigDict, name: str) -> None:
  """Writes benchmark `name` into `config`; `UserError` if there is none."""
  if name not in BENCHMARKS:
    raise UserError(
      f'unknown benchmark: --config=...:{name}; '
      f'use one of {", ".join(BENCHMARKS)}'
    )
  benchmark = BENCHMARKS[name]
  config.data.path = benchmark.path
  config.data.num_known = benchmark.num_known
  config.data.num_classes = benchmark.num_classes
  config.update_from_flattened_dict(benchmark.settings)


def adapt(config: ml_collections.ConfigDict, name: str) -> None:
  """Writes what benchmark `name` sets for the config's method into it."""
  settings = BENCHMARKS[name].methods.get(config.method.name, {})
  config.update_from_flattened_dict(settings)
