"""Checks a run's settings and opens its data, without importing JAX.

Importing JAX and its libraries takes several seconds. The commands check
everything here first, so that a user learns of a mistake at once.
"""

import dataclasses
import math
from typing import Any

import ml_collections
import numpy as np
from etils import epath
from ml_collections.config_flags import config_path

from input_pipeline.dataset import SPLITS, PackedDataset, open_dataset
from input_pipeline.errors import UserError, check_choice
from input_pipeline.files import absolute
from input_pipeline.meta import UNLABELLED
from input_pipeline.supervision import (
  SUPERVISION,
  check_training_data,
  validation_rows,
)
from owdfa_jax.losses.pseudo_label_rules.parameters import RULE_PARAMETERS
from owdfa_jax.methods.parameters import PARAMETERS
from owdfa_jax.models.names import BACKBONE_NAMES, DTYPE_NAMES
from owdfa_jax.report_fields import SELECTION_METRICS

# What an evaluation can cover. 'unlabelled' is the part of the training split
# whose labels were hidden from training.
EVAL_SPLITS = (*SPLITS, 'unlabelled')
# Settings that name one of a few things.
CHOICES = {
  'data.supervision': SUPERVISION,
  'eval.metric': SELECTION_METRICS,
  'eval.selection': ('test', 'validation', 'last'),
  'eval.split': EVAL_SPLITS,
  'method.name': tuple(PARAMETERS),
  'model.backbone': BACKBONE_NAMES,
  'model.dtype': DTYPE_NAMES,
  'optimizer.schedule': ('step', 'cosine'),
}
# Counts; each must be at least 1.
AT_LEAST_ONE = (
  'batch_size',
  'epochs',
  'log.every_steps',
  'eval.every_epochs',
  'eval.batch_size',
  'optimizer.decay_epochs',
)
# The least and the greatest value of other numbers; None where there is none.
RANGES = {
  'data.num_threads': (0, None),
  'data.num_workers': (0, None),
  'data.validation_share': (0, 1),
  'model.dropout': (0, 1),
  'optimizer.decay_factor': (0, None),
  'optimizer.learning_rate': (0, None),
  'optimizer.weight_decay': (0, None),
  'pseudo.weight': (0, None),
}
# Numbers that must be above 0.
POSITIVE = ('model.width', 'optimizer.learning_rate')


@dataclasses.dataclass(frozen=True)
class RunInputs:
  """The checked inputs of a run: its settings, its folder and its data.

  Attributes:
    config: the settings, locked.
    workdir: the run's folder, absolute.
    dataset: the packed images.
  """

  config: ml_collections.ConfigDict
  workdir: epath.Path
  dataset: PackedDataset


def check_run(config: ml_collections.ConfigDict, workdir: str) -> RunInputs:
  """Checks a config, opens its data, and checks that the two fit.

  Args:
    config: the settings of one run, as `configs/default.py` lists them.
    workdir: the run's folder; it need not exist.

  Returns:
    What `experiment.build_experiment` needs.

  Raises:
    UserError: a setting is unknown or out of range, the data is missing or
      damaged, or it has other classes than the config expects.
  """
  check_config(config)
  dataset = open_dataset(config.data.path)
  check_classes(config, dataset)
  # CAL can find the number of classes itself.
  if not config.method.params.get('estimate_classes', False):
    count_classes(config, dataset)
  # Orbax fails in the background, without a message, on a relative path.
  return RunInputs(config, epath.Path(absolute(workdir)), dataset)


def check_config(config: ml_collections.ConfigDict) -> None:
  """Checks the settings that need no data.

  Raises:
    UserError: a setting is unknown, out of range, or contradicts another one.
  """
  for field in AT_LEAST_ONE:
    value = config_path.get_value(field, config)
    if value < 1:
      raise UserError(
        f'setting too small: --config.{field}={value}; give at least 1'
      )
  check_ranges(config)
  for field, choices in CHOICES.items():
    check_choice(
      f'--config.{field}', config_path.get_value(field, config), choices
    )
  if config.pseudo.rule:
    check_choice('--config.pseudo.rule', config.pseudo.rule, RULE_PARAMETERS)
  # The dataclass checks the ranges of the method's parameters.
  PARAMETERS[config.method.name](**config.method.params)
  check_consistency(config)


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


def check_ranges(config: ml_collections.ConfigDict) -> None:
  """Raises `UserError` for a number that is not finite or out of its range."""
  for field, value in flatten_settings(config.to_dict()).items():
    if isinstance(value, float) and not math.isfinite(value):
      raise UserError(
        f'not a finite number: --config.{field}={value}; give a number'
      )
  for field, (least, greatest) in RANGES.items():
    value = config_path.get_value(field, config)
    if value < least or (greatest is not None and value > greatest):
      limit = '' if greatest is None else f' and at most {greatest}'
      raise UserError(
        f'setting out of range: --config.{field}={value}; give at least '
        f'{least}{limit}'
      )
  for field in POSITIVE:
    value = config_path.get_value(field, config)
    if value <= 0:
      raise UserError(
        f'setting too small: --config.{field}={value}; give a number above 0'
      )


def check_consistency(config: ml_collections.ConfigDict) -> None:
  """Raises `UserError` for settings that contradict each other."""
  supervision, name = config.data.supervision, config.method.name
  if supervision == 'all' and name != 'supervised':
    raise UserError(
      f'--config.data.supervision=all needs --config.method.name=supervised, '
      f'not {name}; to train on all labels use configs/upper_bound.py'
    )
  share = config.data.validation_share
  if config.eval.selection == 'validation' and not 0 < share < 1:
    raise UserError(
      f'no images to validate on: --config.data.validation_share={share}; give '
      'a share above 0 and below 1, or another --config.eval.selection'
    )


def check_classes(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> None:
  """Raises `UserError` if the data has other classes than the config says."""
  expected = {
    'num_known': (config.data.num_known, dataset.num_known),
    'num_classes': (config.data.num_classes, dataset.num_classes),
  }
  if not dataset.novel_count_known:
    del expected['num_classes']
  for field, (configured, packed) in expected.items():
    if configured is not None and configured != packed:
      raise UserError(
        f'wrong number of classes: --config.data.{field}={configured}, but '
        f'{dataset.path} has {packed}; use the config of that benchmark, or '
        ':folder, which takes the number from the data'
      )


def count_classes(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> int:
  """Returns the number of classes, known and novel.

  The data tells it, unless some training images have no true class. Then the
  user has to estimate it in `data.num_classes`.

  Raises:
    UserError: the number is needed and not given, or too small.
  """
  if dataset.novel_count_known:
    return dataset.num_classes
  estimate = config.data.num_classes
  if estimate is None and config.data.supervision == 'labelled':
    return dataset.num_known
  if estimate is None or estimate <= dataset.num_known:
    raise UserError(
      f'the number of novel classes is unknown: {dataset.path} has '
      f'{dataset.num_known} known classes and images of unknown class, but '
      f'--config.data.num_classes={estimate}; give an estimate of how many '
      'classes there are, known ones included: at least '
      f'{dataset.num_known + 1}'
    )
  return estimate


def check_training_split(inputs: RunInputs) -> None:
  """Raises `UserError` if the data lacks what training would read."""
  config = inputs.config
  check_training_data(
    inputs.dataset,
    config.batch_size,
    config.data.supervision,
    validation_rows(inputs.dataset, config.seed, validation_share(config)),
  )


def check_initial_weights(init: str) -> None:
  """Raises `UserError` if there is nothing at the path `model.init`."""
  if not epath.Path(init).exists():
    raise UserError(
      f'no such weights: --config.model.init={init}; give a .safetensors, '
      '.npz or .pth file, or the workdir of a run'
    )


def validation_share(config: ml_collections.ConfigDict) -> float:
  """Returns the share of labelled rows held out from training.

  It is 0 unless these rows select the checkpoint.
  """
  if config.eval.selection == 'validation':
    return config.data.validation_share
  return 0.0


def eval_rows(
  dataset: PackedDataset, name: str
) -> tuple[str, np.ndarray | None]:
  """Returns the split that one of `EVAL_SPLITS` means, and its rows.

  The rows are int [N], or None for all of them.
  """
  if name == 'unlabelled':
    return 'train', np.flatnonzero(dataset.train.tag == UNLABELLED)
  return name, None
