"""Whose run a workdir holds: its settings, and which of them may change."""

import hashlib
import json
import os
from collections.abc import Callable
from typing import Any

import jax

from input_pipeline.dataset import PackedDataset
from input_pipeline.duplicates import sha256
from input_pipeline.errors import UserError
from owdfa_jax.experiment import Experiment, validation_share
from owdfa_jax.training.checkpoints import has_checkpoint
from owdfa_jax.training.progress import say

# A resumed run may differ from its workdir's config in these alone. Where and
# how fast the data is read does not change what is read.
CHANGEABLE = (
  'epochs',
  'eval.batch_size',
  'eval.checkpoint',
  'eval.every_epochs',
  'eval.split',
  'log.',
  'compilation_cache',
  'data.path',
  'data.num_threads',
  'data.num_workers',
)
# What a checkpoint's network depends on.
OF_THE_NETWORK = (
  'model.backbone',
  'model.width',
  'model.dtype',
  'method.',
  'data.num_classes',
  'dataset',
)


def claim_workdir(experiment: Experiment) -> None:
  """Makes the workdir this run's own: writes its settings to `config.json`.

  Raises:
    UserError: it cannot be written, or has checkpoints of another run.
  """
  path, config = experiment.workdir / 'config.json', experiment.config
  try:
    experiment.workdir.mkdir(parents=True, exist_ok=True)
    if has_checkpoint(experiment.workdir):
      check_workdir(experiment, lambda name: not name.startswith(CHANGEABLE))
      before, now = trained_setting(experiment, 'epochs'), config.epochs
      if before != now:
        say(
          f'{now} epochs instead of {before}: the rest follows their schedule'
        )
    if jax.process_index() == 0:
      partial = experiment.workdir / 'config.json.partial'
      partial.write_text(json.dumps(settings(experiment), indent=2) + '\n')
      os.replace(partial, path)
  except OSError as error:
    raise UserError(
      f'the workdir cannot be written: --workdir={experiment.workdir} '
      f'({error.strerror}); choose a folder that can'
    ) from error


def check_workdir(
  experiment: Experiment, matters: Callable[[str], bool]
) -> None:
  """`UserError` where the workdir's run differs in settings that matter.

  Args:
    experiment: what is to be done in its workdir.
    matters: of a setting, by its full name.
  """
  path = experiment.workdir / 'config.json'
  try:
    before = flatten(json.loads(path.read_text()))
  except FileNotFoundError:
    return
  except (ValueError, AttributeError) as error:
    raise UserError(
      f'damaged file: {path} ({error}); remove it or choose another --workdir'
    ) from error
  now = flatten(settings(experiment))
  different = [
    f'{name}={before.get(name)} (now {now.get(name)})'
    for name in sorted(before.keys() | now.keys())
    if matters(name) and before.get(name) != now.get(name)
  ]
  if different:
    raise UserError(
      f'the workdir holds a run of another config: {path} has '
      f'{", ".join(different)}; give the same settings, or another --workdir'
    )


def settings(experiment: Experiment) -> dict[str, Any]:
  """The config as JSON, with the digests of the packed data (`dataset`) and of
  the `pseudo_labels`, and the share that is `held_out` of training.
  """
  config = json.loads(experiment.config.to_json_best_effort())
  # What lies beside the workdir moves with it: the stages of one run.
  beside = f'{experiment.workdir.parent}/'
  for section, name in (('model', 'init'), ('data', 'pseudo_labels')):
    config[section][name] = config[section][name].replace(beside, '../')
  return config | {
    'dataset': digest(experiment.dataset),
    'pseudo_labels': file_digest(experiment.config.data.pseudo_labels),
    'held_out': validation_share(experiment.config),
  }


def trained_setting(experiment: Experiment, name: str) -> Any:
  """What the workdir's run has for a setting; what `experiment` has where the
  workdir does not say.
  """
  now = flatten(settings(experiment))[name]
  try:
    trained = json.loads((experiment.workdir / 'config.json').read_text())
  except FileNotFoundError:
    return now
  return flatten(trained).get(name, now)


def flatten(config: dict[str, Any], prefix: str = '') -> dict[str, Any]:
  """Nested settings as `section.field`."""
  flat = {}
  for name, value in config.items():
    if isinstance(value, dict):
      flat |= flatten(value, f'{prefix}{name}.')
    else:
      flat[prefix + name] = value
  return flat


def file_digest(path: str) -> str:
  """Tells contents of a file apart; '' for no file."""
  return sha256(path)[:12] if path else ''


def digest(dataset: PackedDataset) -> str:
  """Tells datasets apart wherever they lie: a hash of where they came from,
  their classes, and every record's label and tag.
  """
  parts = hashlib.sha256(
    json.dumps(
      [
        dataset.description['made']['meta_sha256'],
        dataset.image_size,
        [entry.name for entry in dataset.classes],
      ]
    ).encode()
  )
  for split in (dataset.train, dataset.test):
    for column in (split.label, split.tag):
      parts.update(column.tobytes())
  return parts.hexdigest()[:12]
