"""The record of a run in its workdir, without importing JAX.

`config.json` holds the settings of the run. They decide whether a command may
continue that run, or evaluate the network that it trained.
"""

import json
import os
from collections.abc import Callable
from typing import Any

from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.files import file_sha256, read_text
from input_pipeline.object_store import is_remote
from owdfa_jax.setting_checks import flatten_settings
from owdfa_jax.settings import RunInputs, validation_share
from owdfa_jax.training.later_settings import (
  LATER_ROUND_SETTINGS,
  LATER_SETTINGS,
  LATER_VOTING_SETTINGS,
)
from owdfa_jax.training.packed_facts import (
  OF_IMAGES,
  dataset_digest,
  packed_facts,
  recorded_differences,
  take_data,
)
from owdfa_jax.training.saved_steps import (
  CHECKPOINTS,
  saved_steps,
  step_folders,
)

# The file of settings in a workdir.
CONFIG_FILE = 'config.json'
# The settings (or beginnings of their names) that may change when a run
# resumes. Where and how fast the data is read does not change what is read.
CHANGEABLE_SETTINGS = (
  'epochs',
  'state_shards',
  'on_divergence',
  'max_skipped_in_a_row',
  'eval.batch_size',
  'eval.checkpoint',
  'eval.classify_by',
  'eval.every_epochs',
  'eval.false_alarm_rate',
  'eval.robustness',
  'eval.split',
  'eval.unseen_path',
  'eval.whitening',
  'checkpoints.',
  'log.',
  'compilation_cache',
  'data.path',
  'data.num_threads',
  'data.num_workers',
)
# The settings (or beginnings of their names) that a checkpoint's network
# depends on: evaluation must have the same.
NETWORK_SETTINGS = (
  'model.backbone',
  'model.front_end',
  'model.spectrum_features',
  'model.spectrum_projections',
  'model.width',
  'model.dtype',
  'method.',
  'data.num_classes',
  'data.leave_out',
  'dataset',
)


def has_checkpoint(workdir: epath.Path) -> bool:
  """Returns whether a run has saved a checkpoint in `workdir`.

  False for a run that has started but not saved yet. A checkpoint may have been
  damaged since; its files are not read.
  """
  return bool(saved_steps(workdir))


def checkpoint_path(workdir: epath.Path, step: int) -> str:
  """Returns the value of `model.init` that names one checkpoint of a run."""
  return str(workdir / CHECKPOINTS / str(step))


def check_resumable(
  inputs: RunInputs, also_changeable: tuple[str, ...] = ()
) -> None:
  """Checks that training may use the workdir, to start or to resume.

  A workdir with checkpoints belongs to the run that saved them. That run may
  resume with other values of `CHANGEABLE_SETTINGS`, and no other run may use
  the workdir. Without checkpoints, any run may.

  Args:
    inputs: the run that is to be trained.
    also_changeable: more settings, or beginnings of their names, that may
      differ.

  Raises:
    UserError: the workdir belongs to another run, or cannot be read.
  """
  may_differ = CHANGEABLE_SETTINGS + also_changeable
  # A damaged checkpoint may be restored from a copy, so it counts.
  if step_folders(inputs.workdir):
    check_settings(inputs, lambda name: not name.startswith(may_differ))


def check_can_be_made(workdir: epath.Path) -> None:
  """Checks that `workdir` is a folder that can be written, or can be made.

  Nothing is written.

  Raises:
    UserError: a file is in the way, or a folder cannot be written.
  """
  folder = os.fspath(workdir)
  if is_remote(folder):
    return  # only writing shows it
  while not os.path.lexists(folder):
    folder = os.path.dirname(folder)
  why = ''
  if not os.path.isdir(folder):
    why = 'is not a folder'
  elif not os.access(folder, os.W_OK | os.X_OK):
    why = 'cannot be written'
  if why:
    raise UserError(
      f'the workdir cannot be used: --workdir={workdir}: {folder} {why}; '
      'choose another --workdir'
    )


def check_same_network(inputs: RunInputs) -> None:
  """Checks that the run in the workdir trained the network of `inputs`.

  Raises:
    UserError: a setting that the network depends on differs, or the record of
      the settings cannot be read.
  """
  check_settings(
    inputs, lambda name: name.startswith(NETWORK_SETTINGS), trains=False
  )


def check_settings(
  inputs: RunInputs, must_match: Callable[[str], bool], *, trains: bool = True
) -> None:
  """Checks that the run in the workdir has the settings of `inputs`.

  A workdir without recorded settings passes.

  Args:
    inputs: the run to compare with the run in its workdir.
    must_match: returns whether a setting, such as 'model.width', has to be the
      same.
    trains: whether the run is to be trained, which another workdir allows.

  Raises:
    UserError: settings that have to be the same differ, or the record of the
      settings is damaged or cannot be read.
  """
  before = recorded_settings(inputs.workdir)
  if before is None:
    return
  now = flatten_settings(run_settings(inputs))
  data_before, data_now = take_data(before), take_data(now)
  settings = [
    f'{name}={before.get(name)} (now {now.get(name)})'
    for name in sorted(before.keys() | now.keys())
    if must_match(name) and before.get(name) != now.get(name)
  ]
  data = []
  if must_match('dataset'):
    if not inputs.dataset.has_images:
      # Nothing to compare the images with; the classes are compared.
      data_now |= dict.fromkeys(OF_IMAGES)
    data = recorded_differences(data_before, data_now)
  record, different = inputs.workdir / CONFIG_FILE, ', '.join(settings + data)
  another = ', or another --workdir' if trains else ''
  if settings:
    raise UserError(
      f'the workdir holds a run with another config: {record} has {different}; '
      f'give the same settings{another or ", or leave --config out"}'
    )
  if data:
    where = inputs.dataset.path
    remedy = 'give the packed directory that the run'
    if not inputs.dataset.has_images:
      where, remedy = (
        'its data.json',
        'copy it again, or give the data that the run',
      )
    raise UserError(
      f'not the data of the run: {where} differs from what {record} records: '
      f'{different}; {remedy} was trained on{another}'
    )


def recorded_setting(inputs: RunInputs, name: str) -> Any:
  """Returns a setting of the run that the workdir holds.

  If the workdir does not record it, returns the setting of `inputs`.

  Args:
    inputs: the run that is to use the workdir.
    name: the setting, such as 'eval.selection'.

  Raises:
    UserError: the record of the settings is damaged or cannot be read.
  """
  now = flatten_settings(run_settings(inputs))[name]
  return (recorded_settings(inputs.workdir) or {}).get(name, now)


def recorded_passes(workdir: epath.Path) -> int | None:
  """Returns the `passes_per_epoch` of the run that the workdir holds.

  Returns None if it holds no run that has saved a checkpoint.

  Raises:
    UserError: the record of the settings is damaged or cannot be read.
  """
  if not step_folders(workdir):
    return None
  return (recorded_settings(workdir) or LATER_SETTINGS)['passes_per_epoch']


def recorded_classes(workdir: epath.Path) -> int | None:
  """Returns the `data.num_classes` of the run that the workdir holds, if any.

  Raises:
    UserError: the record of the settings is damaged or cannot be read.
  """
  number = (recorded_settings(workdir) or {}).get('data.num_classes')
  return number if isinstance(number, int) else None


def lacks_data_hashes(workdir: epath.Path) -> bool:
  """Returns whether an earlier version recorded the run in a workdir.

  It recorded no hash of the images, see `packed_facts`.

  Raises:
    UserError: the record of the settings is damaged or cannot be read.
  """
  settings = recorded_settings(workdir) or {}
  return bool(settings) and 'packed.meta_csv' not in settings


def run_settings(inputs: RunInputs) -> dict[str, Any]:
  """Returns what identifies a run: its config, and digests of its inputs.

  Returns:
    The config as nested dicts for JSON, and beside its sections:
    dataset: the digest by which earlier versions identified packed data.
    packed: how the data was packed, and hashes of it; see `packed_facts`.
    pseudo_labels: the digest of their file, '' for none.
    held_out: the share of the labelled rows kept for validation.
  """
  config = json.loads(inputs.config.to_json_best_effort())
  # Sibling paths are stored relative, so that a staged run can be moved.
  parent = f'{inputs.workdir.parent}/'
  for section, name in (('model', 'init'), ('data', 'pseudo_labels')):
    config[section][name] = config[section][name].replace(parent, '../')
  # A later command may start in another folder.
  for section, name in (('data', 'path'), ('eval', 'unseen_path')):
    path = config[section][name]
    if path and '://' not in path:
      config[section][name] = os.path.abspath(path)
  return config | {
    'dataset': dataset_digest(inputs.dataset),
    'packed': packed_facts(inputs.dataset),
    'pseudo_labels': file_digest(inputs.config.data.pseudo_labels),
    'held_out': validation_share(inputs.config),
  }


def file_digest(path: str) -> str:
  """Returns 12 hex digits that identify a file's content; '' for no file."""
  return file_sha256(path)[:12] if path else ''


def recorded_settings(workdir: epath.Path) -> dict[str, Any] | None:
  """Returns the settings in `config.json`, flattened; None without that file.

  Settings of later versions have the value that the run had without them.

  Args:
    workdir: the folder of a run.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  path = workdir / CONFIG_FILE
  try:
    settings = json.loads(read_text(path))
    settings = LATER_SETTINGS | flatten_settings(settings)
    if 'data.label_by' in settings:
      settings = LATER_ROUND_SETTINGS | settings
    if 'method.params.vote_rule' in settings:
      settings = LATER_VOTING_SETTINGS | settings
    return settings
  except FileNotFoundError:
    return None
  except OSError as error:
    raise _unreadable(path, error) from error
  except (ValueError, AttributeError, RecursionError) as error:
    raise UserError(
      f'damaged file: {path} ({error}); copy it again, or train in another '
      'folder'
    ) from error


def _unreadable(path: epath.Path, error: OSError) -> UserError:
  return UserError(
    f'the run cannot be read: {path} ({error.strerror}); check its '
    'permissions, or use another folder'
  )
