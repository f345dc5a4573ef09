"""The range of every setting that is a number.

Configs, methods and pseudo-label rules check their numbers with this table;
docs/settings.md shows it beside the meaning of each setting. A greatest value
is far above useful values, and below values that lead to a traceback, a lack
of memory or infinite numbers.
"""

from input_pipeline.number_ranges import LARGEST_SEED, NumberRange, whole

# The range of float32, with room for a product or two.
_SMALLEST, _LARGEST = 1e-30, 1e30
# The evaluation compares every output with every class.
MOST_OUTPUTS = 10**4
_COUNT = 10**6
_SHARE = NumberRange(0, 1)
_WEIGHT = NumberRange(0, 1e6, reason='larger terms overflow float32')
_TEMPERATURE = NumberRange(
  1e-3, 1e3, reason='a smaller or larger one leaves nothing to learn from'
)
_EPOCHS = whole(1, _COUNT)
_FROM_EPOCH = whole(0, _COUNT)
_CLASSES = NumberRange(
  1,
  MOST_OUTPUTS,
  whole=True,
  optional=True,
  reason='the evaluation compares every output with every class',
)
_QUALITY = whole(1, 100)
_BATCH = whole(1, 2**16, 'a batch is kept in memory')
_PARALLEL = whole(0, 256, 'each takes memory')

# By the setting's name without `--config.`.
RANGES: dict[str, NumberRange] = {
  'seed': whole(0, LARGEST_SEED),
  'batch_size': _BATCH,
  'state_shards': whole(1, 2**20),
  'epochs': _EPOCHS,
  'passes_per_epoch': whole(1, _COUNT),
  'max_skipped_in_a_row': whole(1, _COUNT),
  'data.num_known': _CLASSES,
  'data.num_classes': _CLASSES,
  'data.num_threads': _PARALLEL,
  'data.num_workers': _PARALLEL,
  'data.validation_share': NumberRange(0, 1, below=True),
  'model.width': NumberRange(
    0.02, 16, reason='memory grows with its square; below, no channel is left'
  ),
  'model.spectrum_features': whole(0, 2**12, 'each adds parameters'),
  'model.spectrum_projections': whole(
    0, 2**12, 'each is a number of every feature'
  ),
  'model.dropout': NumberRange(0, 1, below=True),
  'augment.crop_probability': _SHARE,
  'augment.largest_shift': NumberRange(0, 0.5),
  'augment.colour_probability': _SHARE,
  'augment.colour_strength': NumberRange(
    0, 0.5, reason='the strong view has twice that'
  ),
  'augment.resize_probability': _SHARE,
  'augment.smallest_resize': NumberRange(
    0.1, 1, reason='a smaller one leaves nothing to see'
  ),
  'augment.noise_probability': _SHARE,
  'augment.largest_noise': NumberRange(0, 255),
  'augment.jpeg_probability': _SHARE,
  'augment.lowest_quality': _QUALITY,
  'augment.highest_quality': _QUALITY,
  'optimizer.learning_rate': NumberRange(_SMALLEST, _LARGEST),
  'optimizer.weight_decay': NumberRange(0, _LARGEST),
  'optimizer.decay_epochs': _EPOCHS,
  'optimizer.decay_factor': _SHARE,
  'eval.every_epochs': _EPOCHS,
  'eval.batch_size': _BATCH,
  'eval.false_alarm_rate': NumberRange(0, 1, below=True),
  'log.every_steps': whole(1, 10**9),
  'log.profile': whole(0, 1000, 'a trace is kept in memory'),
  # CPL and MPSL, with CDAL.
  'method.params.margin': NumberRange(0, 1e3),
  'method.params.voting_weight': _WEIGHT,
  'method.params.pair_within': whole(0, 2**16),
  'method.params.pseudo_weight': _WEIGHT,
  'method.params.entropy_weight': _WEIGHT,
  'method.params.effect_weight': _WEIGHT,
  'method.params.match_weight': _WEIGHT,
  # CAL.
  'method.params.consistency_weight': _WEIGHT,
  'method.params.uniformity_weight': _WEIGHT,
  'method.params.known_threshold': _SHARE,
  'method.params.pseudo_from_epoch': _FROM_EPOCH,
  'method.params.prototypes_per_known': whole(
    2, 1000, 'one leaves no output for a novel class; each needs memory'
  ),
  'method.params.prune_from_epoch': _FROM_EPOCH,
  # ORCA.
  'method.params.margin_scale': NumberRange(0, 1e3),
  'method.params.pair_weight': _WEIGHT,
  # SimGCD.
  'method.params.supervised_weight': _SHARE,
  'method.params.teacher_temperature': _TEMPERATURE,
  'method.params.final_teacher_temperature': _TEMPERATURE,
  'method.params.warm_up': NumberRange(0, 1, above=True),
  'method.params.unsupervised_temperature': _TEMPERATURE,
  'method.params.supervised_temperature': _TEMPERATURE,
  'method.params.projection': whole(1, 2**16, 'each feature has that length'),
  # Pseudo-label rules.
  'pseudo.weight': _WEIGHT,
  'pseudo.params.threshold': _SHARE,
  'pseudo.params.momentum': NumberRange(0, 1, below=True),
  'pseudo.params.quantile': _SHARE,
  # The spectrum.
  'spectrum.components': whole(1, 1000),
  # Training in stages.
  'stages.pretrain_epochs': _FROM_EPOCH,
  'stages.rounds': whole(0, 1000),
  'stages.round_epochs': _EPOCHS,
  'stages.round_learning_rate_factor': NumberRange(0, 1, above=True),
  'stages.keep_share': NumberRange(0, 1, above=True),
  'stages.keep_confidence': _SHARE,
}


def check_number(field: str, value: object) -> None:
  """Raises `UserError` if a number is out of the range of its setting.

  Args:
    field: the setting's name without `--config.`; others are not checked.
    value: what the user gave.
  """
  if field in RANGES:
    RANGES[field].check(f'--config.{field}', value)


def check_parameters(section: str, parameters: dict[str, object]) -> None:
  """Raises `UserError` for the first parameter that is out of its range.

  Args:
    section: where the user sets them: 'method.params' or 'pseudo.params'.
    parameters: values by name.
  """
  for name, value in parameters.items():
    check_number(f'{section}.{name}', value)
