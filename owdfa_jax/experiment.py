"""From a config to the parts of a run, checked against one another."""

import dataclasses
import inspect
import os
from collections.abc import Callable

import ml_collections
import numpy as np
from etils import epath
from flax import nnx

from input_pipeline import dataset as dataset_lib
from input_pipeline import pseudo_labels
from input_pipeline.errors import UserError
from input_pipeline.meta import UNLABELLED
from input_pipeline.supervision import (
  SUPERVISION,
  check_training_data,
  validation_rows,
)
from owdfa_jax import parallel, report_fields
from owdfa_jax.losses.pseudo_labels import RULES
from owdfa_jax.methods import METHODS
from owdfa_jax.methods.base import Method
from owdfa_jax.methods.pseudo import WithPseudoLabels
from owdfa_jax.models import classifier

# What an evaluation can look at; the last are the training split's rows whose
# labels were kept from the training.
EVAL_SPLITS = (*dataset_lib.SPLITS, 'unlabelled')
# The settings that name one of a few things, where no other file checks them.
CHOICES = {
  'data.supervision': SUPERVISION,
  'eval.split': EVAL_SPLITS,
  'eval.selection': ('test', 'validation', 'last'),
  'eval.metric': report_fields.SELECTION_METRICS,
}

Build = Callable[[nnx.Rngs], classifier.Classifier]


@dataclasses.dataclass(frozen=True)
class Experiment:
  """The parts of a run that training and evaluation share.

  Attributes:
    config: as given, locked.
    workdir: absolute.
    placement: the devices.
    dataset: the packed images.
    method: with its settings.
    num_outputs: width of the head: known and novel classes, or more where the
      method finds out how many there are.
    build: makes the network from its random streams.
  """

  config: ml_collections.ConfigDict
  workdir: epath.Path
  placement: parallel.Placement
  dataset: dataset_lib.PackedDataset
  method: Method
  num_outputs: int
  build: Build


def set_up(config: ml_collections.ConfigDict, workdir: str) -> Experiment:
  """Makes the parts and checks that they fit.

  Raises:
    UserError: for whatever does not: the data, the classes, the method's
      settings, the devices, the workdir.
  """
  check_choices(config)
  check_together(config)
  method = make_method(config)
  dataset = dataset_lib.open_dataset(config.data.path)
  check_classes(config, dataset)
  num_outputs = method.num_outputs(dataset.num_known)
  if num_outputs is None:
    num_outputs = count_classes(config, dataset)
  placement = parallel.place()
  parallel.check_batch_size(config.batch_size, placement)

  network = config.model.to_dict()
  del network['init'], network['init_head']

  def build(rngs: nnx.Rngs) -> classifier.Classifier:
    return classifier.create(
      **network,
      num_outputs=num_outputs,
      image_size=dataset.image_size,
      branches=method.branches,
      rngs=rngs,
    )

  # Sizes that do not fit surface here, before anything is written.
  nnx.eval_shape(lambda: build(nnx.Rngs(0)))
  # Orbax fails in the background, without a word, on a relative path.
  path = epath.Path(os.path.abspath(os.path.expanduser(workdir)))
  return Experiment(
    config, path, placement, dataset, method, num_outputs, build
  )


def check_choices(config: ml_collections.ConfigDict) -> None:
  """`UserError` for a setting that is none of its `CHOICES`, or too small."""
  for name, value in (
    ('epochs', config.epochs),
    ('log.every_steps', config.log.every_steps),
    ('eval.every_epochs', config.eval.every_epochs),
    ('eval.batch_size', config.eval.batch_size),
  ):
    if value < 1:
      raise UserError(
        f'setting too small: --config.{name}={value}; give at least 1'
      )
  for field, choices in CHOICES.items():
    section, name = field.split('.')
    if config[section][name] not in choices:
      raise UserError(
        f'unknown setting: --config.{field}={config[section][name]}; '
        f'use one of {", ".join(choices)}'
      )


def check_together(config: ml_collections.ConfigDict) -> None:
  """`UserError` for settings that make no sense together."""
  supervision, name = config.data.supervision, config.method.name
  if supervision == 'all' and name != 'supervised':
    raise UserError(
      f'a method that is given every label: --config.data.supervision=all with '
      f'--config.method.name={name}; the yardstick with all labels is '
      'configs/upper_bound.py'
    )
  share = config.data.validation_share
  if config.eval.selection == 'validation' and not 0 < share < 1:
    raise UserError(
      f'nothing to validate on: --config.data.validation_share={share}; give '
      'a share above 0 and below 1, or another --config.eval.selection'
    )


def make_method(config: ml_collections.ConfigDict) -> Method:
  """Returns the method named by the config, with its settings, and with the
  term of a pseudo-label rule where the config names one.
  """
  name = config.method.name
  if name not in METHODS:
    raise UserError(
      f'unknown method: --config.method.name={name!r}; '
      f'use one of {", ".join(METHODS)}'
    )
  method = METHODS[name](**config.method.params)
  rule = config.pseudo.rule
  if not rule:
    return method
  if rule not in RULES:
    raise UserError(
      f'unknown pseudo-label rule: --config.pseudo.rule={rule!r}; '
      f'use one of {", ".join(RULES)}, or none'
    )
  taken = inspect.signature(RULES[rule]).parameters
  settings = {k: v for k, v in config.pseudo.params.items() if k in taken}
  return WithPseudoLabels(
    method=method, rule=RULES[rule](**settings), weight=config.pseudo.weight
  )


def eval_rows(
  dataset: dataset_lib.PackedDataset, name: str
) -> tuple[str, np.ndarray | None]:
  """The split that one of `EVAL_SPLITS` means, and its rows; None for all."""
  if name == 'unlabelled':
    return 'train', np.flatnonzero(dataset.train.tag == UNLABELLED)
  return name, None


def read_pseudo_label(experiment: Experiment) -> np.ndarray | None:
  """The classes that unlabelled rows train as, int32 [N], -1 for none; None
  where the config names no file of them.
  """
  path = experiment.config.data.pseudo_labels
  if not path:
    return None
  return pseudo_labels.read(path, experiment.dataset, experiment.num_outputs)


def check_training(experiment: Experiment) -> None:
  """`UserError` where its data lacks what the training would read."""
  config = experiment.config
  check_training_data(
    experiment.dataset,
    config.batch_size,
    config.data.supervision,
    validation_rows(experiment.dataset, config.seed, validation_share(config)),
  )


def validation_share(config: ml_collections.ConfigDict) -> float:
  """The share of labelled rows held out: none unless they select."""
  if config.eval.selection == 'validation':
    return config.data.validation_share
  return 0.0


def check_classes(
  config: ml_collections.ConfigDict, dataset: dataset_lib.PackedDataset
) -> None:
  """`UserError` where the data has other classes than the benchmark."""
  wanted = {
    'num_known': (config.data.num_known, dataset.num_known),
    'num_classes': (config.data.num_classes, dataset.num_classes),
  }
  if not dataset.novel_count_known:
    del wanted['num_classes']
  for field, (configured, packed) in wanted.items():
    if configured is not None and configured != packed:
      raise UserError(
        f'the classes do not match the head: --config.data.{field}='
        f'{configured}, but {dataset.path} has {packed}; use the config of '
        'that benchmark (or :folder, which takes what the data has)'
      )


def count_classes(
  config: ml_collections.ConfigDict, dataset: dataset_lib.PackedDataset
) -> int:
  """Returns the number of classes, known and novel.

  It is what the data has; for a heap of images nobody has sorted, where the
  data cannot tell, it is the user's guess in `data.num_classes`.
  """
  if dataset.novel_count_known:
    return dataset.num_classes
  guess = config.data.num_classes
  if guess is None and config.data.supervision == 'labelled':
    return dataset.num_known
  if guess is None or guess <= dataset.num_known:
    raise UserError(
      f'the number of novel classes is unknown: {dataset.path} has '
      f'{dataset.num_known} known classes and unsorted images, '
      f'--config.data.num_classes={guess}; say how many classes, the known '
      f'ones included, there may be in all: at least {dataset.num_known + 1}'
    )
  return guess
