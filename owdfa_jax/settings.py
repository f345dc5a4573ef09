"""Checks a run's settings and opens its data, without importing JAX.

Importing JAX and its libraries takes several seconds. The commands check
everything here first, so that a mistake is reported at once.
"""

import dataclasses

import ml_collections
import numpy as np
from etils import epath

from input_pipeline import escape, left_out, supervision
from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UsageError, UserError
from input_pipeline.meta import UNLABELLED
from input_pipeline.object_store import check_slashes
from input_pipeline.pseudo_labels import read_pseudo_labels
from input_pipeline.storage import run_folder
from input_pipeline.supervision import (
  check_every_label,
  check_training_data,
  validation_rows,
)
from owdfa_jax.setting_checks import check_config
from owdfa_jax.setting_ranges import MOST_OUTPUTS
from owdfa_jax.weights.packages import PACKAGES, find_weights

# Steps are counted in int32.
MOST_STEPS = 2**31 - 1


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


class OtherClasses(UserError):
  """Data that has other classes than a config says."""


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
  if not config.data.path.strip():
    raise UsageError(
      'no data: --config.data.path is empty; give the folder that packing wrote'
    )
  check_slashes(config.data.path, '--config.data.path')
  return check_with_data(config, workdir, open_dataset(config.data.path))


def check_with_data(
  config: ml_collections.ConfigDict, workdir: str, dataset: PackedDataset
) -> RunInputs:
  """Checks a config, and that data fits it.

  Args:
    config: the settings of one run.
    workdir: the run's folder; it need not exist.
    dataset: the data before `data.leave_out` is applied.

  Returns:
    The inputs of the run; their dataset lacks the classes that are left out.

  Raises:
    UserError: a setting is unknown or out of range, or the data has other
      classes than the config expects.
  """
  check_config(config)
  check_classes(config, dataset)
  if names := left_out.class_names(config.data.leave_out):
    dataset = left_out.leave_out(dataset, names)
  count_outputs(config, dataset)
  # Orbax fails in the background, without a message, on a relative path.
  return RunInputs(config, epath.Path(run_folder(workdir)), dataset)


def check_classes(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> None:
  """Raises `OtherClasses` if the data has others than the config says."""
  expected = {
    'num_known': (config.data.num_known, dataset.num_known),
    'num_classes': (config.data.num_classes, dataset.num_classes),
  }
  if not dataset.novel_count_known:
    del expected['num_classes']
  for field, (configured, packed) in expected.items():
    if configured is not None and configured != packed:
      raise OtherClasses(
        f'wrong number of classes: --config.data.{field}={configured}, but '
        f'{dataset.path} has {packed}; use the config of that benchmark, or '
        ':folder, which takes the number from the data'
      )


def count_classes(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> int:
  """Returns the number of classes, known and novel.

  The data gives it, unless some training images have no true class. Then the
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
    raise _bad_estimate(config, dataset)
  return estimate


def check_estimate(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> None:
  """Raises `UserError` if training would have fewer outputs than named classes.

  Two classes would share an output. For runs that begin: those that began
  before this was checked can still be continued and evaluated.
  """
  estimate = config.data.num_classes
  counted = config.method.params.get('estimate_classes', False)
  if estimate is None or dataset.novel_count_known or counted:
    return
  if estimate < dataset.num_classes:
    raise _bad_estimate(config, dataset)


def _bad_estimate(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> UserError:
  known, named = dataset.num_known, dataset.num_classes
  novel = f', {named - known} novel classes with names' if named > known else ''
  other = ''
  if 'estimate_classes' in config.method.params:
    other = ', or let CAL find it: --config.method.params.estimate_classes=True'
  return UserError(
    f'the number of novel classes is unknown: {dataset.path} has {known} known '
    f'classes{novel} and images of unknown class, but '
    f'--config.data.num_classes={config.data.num_classes}; give an estimate of '
    'how many classes there are, those with names included: at least '
    f'{max(known + 1, named)}{other}'
  )


def count_outputs(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> int:
  """Returns the number of the network's outputs before any is pruned.

  Raises:
    UserError: the number of classes is unknown, or there are too many outputs.
  """
  # CAL can find the number of classes itself.
  if not config.method.params.get('estimate_classes', False):
    return count_classes(config, dataset)
  each = config.method.params.prototypes_per_known
  if each * dataset.num_known > MOST_OUTPUTS:
    raise UserError(
      f'too many outputs: --config.method.params.prototypes_per_known={each} '
      f'for each of {dataset.num_known} known classes; give at most '
      f'{MOST_OUTPUTS // dataset.num_known}'
    )
  return each * dataset.num_known


def check_training_split(inputs: RunInputs) -> None:
  """Raises `UserError` if the data lacks what training would read.

  Also if the settings ask for something that this data cannot give.
  """
  config = inputs.config
  held_out = validation_rows(
    inputs.dataset, config.seed, validation_share(config)
  )
  if config.eval.selection == 'validation' and not len(held_out):
    raise UserError(
      f'no images to validate on: {inputs.dataset.path} has one labelled '
      'image of each class, and it is trained on; label more images, or give '
      'another --config.eval.selection'
    )
  check_training_data(
    inputs.dataset, config.batch_size, config.data.supervision, held_out
  )
  if config.data.pseudo_labels:
    read_pseudo_labels(
      config.data.pseudo_labels,
      inputs.dataset,
      count_outputs(config, inputs.dataset),
    )
  steps = epoch_steps(config, inputs.dataset)
  if steps * config.epochs > MOST_STEPS:
    raise UserError(
      f'too many steps: --config.epochs={config.epochs} of {steps} steps each; '
      f'give fewer, at most {MOST_STEPS} steps together'
    )


def check_spectrum(
  config: ml_collections.ConfigDict, workdir: str
) -> RunInputs:
  """Checks the config and the data of a run without a network.

  Args:
    config: the settings, with a section `spectrum`.
    workdir: the run's folder; it need not exist.

  Returns:
    What `discovery.spectrum_run.run_spectrum` needs.

  Raises:
    UserError: as `check_run`, or `data.supervision` does not fit.
  """
  inputs = check_run(config, workdir)
  if config.data.supervision == 'labelled':
    raise UsageError(
      'a spectrum clusters unlabelled images too: --config.data.supervision='
      'labelled; give open_world, or all for a spectrum with all labels'
    )
  if config.data.supervision == 'all':
    check_every_label(inputs.dataset)
  else:
    check_estimate(config, inputs.dataset)
  return inputs


def epoch_steps(
  config: ml_collections.ConfigDict, dataset: PackedDataset
) -> int:
  """Returns the steps of an epoch, of one pass over the images or several.

  Raises:
    UserError: the training split is smaller than one batch.
  """
  one_pass = supervision.steps_per_epoch(dataset, config.batch_size)
  return one_pass * config.passes_per_epoch


def find_initial_weights(init: str) -> epath.Path:
  """Returns the path that `model.init` names: of a file or a folder.

  Args:
    init: a path, or a key of `weights.packages.PACKAGES`.

  Raises:
    UserError: there is nothing at the path, or a package is not installed.
  """
  if init.startswith('gs://'):
    path = epath.Path(run_folder(init, '--config.model.init'))
    if path.is_dir():
      return path
  if '://' in init:
    raise UsageError(
      'weights cannot be read from a bucket or the web: --config.model.init='
      f'{init} (only a run at gs:// can); download them and give the path of '
      'the file'
    )
  path = epath.Path(find_weights(init)).expanduser()
  if not path.exists():
    raise UserError(
      f'no such weights: --config.model.init={escape.shortened(init, 300)}; '
      'give a .safetensors, .npz or .pth file, the workdir of a run, or one of '
      f'the names {", ".join(PACKAGES)}'
    )
  return path


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
  """Returns the split that a name means, and its rows.

  The name is one of `setting_checks.EVAL_SPLITS`. The rows are int [N], or None
  for all of them.
  """
  if name == 'unlabelled':
    return 'train', np.flatnonzero(dataset.train.tag == UNLABELLED)
  return name, None
