"""Checks the settings of a config, without data and without importing JAX."""

from typing import Any

import ml_collections
from ml_collections import config_dict

from input_pipeline.dataset import SPLITS
from input_pipeline.errors import UsageError, UserError, check_choice
from input_pipeline.escape import quoted
from input_pipeline.supervision import SUPERVISION
from owdfa_jax.configs import default
from owdfa_jax.losses.pseudo_label_rules.parameters import RULE_PARAMETERS
from owdfa_jax.methods.parameters import PARAMETERS
from owdfa_jax.models.names import (
  BACKBONE_NAMES,
  DTYPE_NAMES,
  FRONT_END_NAMES,
)
from owdfa_jax.report_fields import SELECTION_METRICS
from owdfa_jax.setting_ranges import RANGES, check_number

# What an evaluation can cover. 'unlabelled' is the part of the training split
# whose labels were hidden from training.
EVAL_SPLITS = (*SPLITS, 'unlabelled')
# How features are whitened before they are clustered; 'auto' chooses one of the
# others by held-out known classes.
WHITENINGS = ('auto', 'within_class', 'pca_within_class', 'pca', 'none')
# Settings that name one of a few things.
CHOICES = {
  'augment.crop': ('resized', 'shifted', 'none'),
  'checkpoints.on_damage': ('stop', 'fall_back'),
  'data.supervision': SUPERVISION,
  'eval.classify_by': ('head', 'centres'),
  'eval.metric': SELECTION_METRICS,
  'eval.selection': ('test', 'validation', 'last'),
  'eval.split': EVAL_SPLITS,
  'eval.whitening': WHITENINGS,
  'method.name': tuple(PARAMETERS),
  'model.backbone': BACKBONE_NAMES,
  'model.dtype': DTYPE_NAMES,
  'model.front_end': FRONT_END_NAMES,
  'on_divergence': ('stop', 'skip'),
  'optimizer.schedule': ('step', 'cosine'),
}
# What a stage of a staged run adds to its config, with values of their types.
STAGE_FIELDS = {
  'data.label_by': '',
  'data.whitening': '',
  'data.keep_share': 0.0,
  'data.keep_confidence': 0.0,
}
# What the config of a spectrum adds, with values of their types.
SPECTRUM_FIELDS = {'spectrum.components': 64}
_TYPES = {bool: 'true or false', str: 'a text'}


def check_config(config: ml_collections.ConfigDict) -> None:
  """Checks the settings that need no data.

  Those of stages are left to `discovery.stage_plan.check_stage_settings`.

  Raises:
    UserError: a setting is unknown, missing, of another type, out of range, or
      contradicts another one.
  """
  settings = _flat_settings(config)
  expected = _expected_settings(settings)
  if 'spectrum' in config:
    expected |= SPECTRUM_FIELDS
  check_fields(settings, expected)
  for field, choices in CHOICES.items():
    check_choice(f'--config.{field}', settings[field], choices)
  if config.pseudo.rule:
    check_choice('--config.pseudo.rule', config.pseudo.rule, RULE_PARAMETERS)
  # The dataclass checks the choices among the method's parameters.
  PARAMETERS[config.method.name](**config.method.params)
  check_consistency(config)


def _flat_settings(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """Returns the settings without those of stages, or raises `UserError`."""
  try:
    return flatten_settings(config.to_dict() | {'stages': {}})
  except config_dict.RequiredValueError as error:
    raise UserError(
      'a setting has no value: the config file leaves a required_placeholder; '
      'give each setting a value'
    ) from error
  except RecursionError as error:
    raise UserError(
      'the config contains itself: a section of the config file is inside '
      'itself; take it out'
    ) from error


def flatten_settings(
  settings: dict[str, Any], prefix: str = ''
) -> dict[str, Any]:
  """Returns nested settings with keys such as 'section.field'."""
  flat = {}
  for name, value in settings.items():
    if isinstance(value, dict):
      flat |= flatten_settings(value, f'{prefix}{name}.')
    else:
      flat[prefix + name] = value
  return flat


def check_fields(settings: dict[str, Any], expected: dict[str, Any]) -> None:
  """Checks names, types and ranges of settings.

  Args:
    settings: values by names such as 'section.field'.
    expected: the settings that must be there, with values of the right type.

  Raises:
    UserError: a setting is unknown, missing, of another type or out of range.
  """
  for field in expected:
    if field not in settings:
      raise UserError(
        f'missing setting: the config has no {field}; begin with a config of '
        'configs/'
      )
  for field, value in settings.items():
    if field not in expected:
      raise UsageError(
        f'unknown setting: --config.{field}; docs/settings.md lists all'
      )
    usual = expected[field]
    if isinstance(usual, tuple) and isinstance(value, list):
      continue
    if field not in RANGES and type(value) is not type(usual):
      kind = _TYPES.get(type(usual), f'a value such as {usual!r}')
      raise UsageError(
        f'wrong type: --config.{field}={quoted(value, 40)}; give {kind}'
      )
    if isinstance(value, str) and '\0' in value:
      raise UsageError(
        f'not a text: --config.{field} has a null character; take it out'
      )
    check_number(field, value)


def _expected_settings(settings: dict[str, Any]) -> dict[str, Any]:
  """Returns the default settings for the method that some settings name.

  Raises:
    UserError: there is no such method, or the parameters are another one's.
  """
  method = str(settings.get('method.name'))
  check_choice('--config.method.name', method, PARAMETERS)
  expected = flatten_settings(default.get_config(method, 'folder').to_dict())
  for field in settings.keys() - expected.keys():
    if field.startswith('method.params.'):
      config = 'lower_bound' if method == 'supervised' else method
      raise UsageError(
        f'a parameter of another method: {field} with '
        f'--config.method.name={method}; give --config={config}:BENCHMARK '
        'instead of another name'
      )
  added = STAGE_FIELDS.items()
  return expected | {key: value for key, value in added if key in settings}


def check_consistency(config: ml_collections.ConfigDict) -> None:
  """Raises `UserError` for settings that contradict each other."""
  supervision, name = config.data.supervision, config.method.name
  if supervision == 'all' and name != 'supervised':
    raise UsageError(
      f'--config.data.supervision=all needs --config.method.name=supervised, '
      f'not {name}; to train on all labels use configs/upper_bound.py'
    )
  _check_rows_of_step(config)
  share = config.data.validation_share
  if config.eval.selection == 'validation' and not 0 < share < 1:
    raise UsageError(
      f'no images to validate on: --config.data.validation_share={share}; give '
      'a share above 0 and below 1, or another --config.eval.selection'
    )
  if 'spectrum' in config and config.eval.robustness:
    raise UsageError(
      'a spectrum has no network to test: --config.eval.robustness=True; leave '
      'it out'
    )
  lowest, highest = (
    config.augment[f'{which}_quality'] for which in ('lowest', 'highest')
  )
  if lowest > highest:
    raise UsageError(
      f'no quality of JPEG is left: --config.augment.lowest_quality={lowest}, '
      f'--config.augment.highest_quality={highest}; give a lowest one that is '
      'not above the highest'
    )
  known, classes = config.data.num_known, config.data.num_classes
  if known is not None and classes is not None and known > classes:
    raise UsageError(
      f'more known classes than classes: --config.data.num_known={known}, '
      f'--config.data.num_classes={classes}, which counts the known ones too; '
      'give the numbers of the packed data, or leave them out'
    )


def _check_rows_of_step(config: ml_collections.ConfigDict) -> None:
  """Raises `UserError` if a step sees one image alone.

  The labelled half of a batch is all that such training reads. Batch
  normalisation has no variance of one row.
  """
  if config.data.supervision == 'labelled' and config.batch_size < 4:
    raise UsageError(
      f'too few images in a step: --config.batch_size={config.batch_size} with '
      '--config.data.supervision=labelled, which trains on half of a batch; '
      'give --config.batch_size=N, N even and at least 4'
    )
