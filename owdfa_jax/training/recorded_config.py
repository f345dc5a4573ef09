"""Reads the config of a run from its folder, without importing JAX.

So the folder alone says what to evaluate. A folder of a staged run holds one
run for each stage.
"""

import os
import pathlib
import re
from typing import Any

import ml_collections
from etils import epath

from input_pipeline.errors import UsageError, UserError, did_you_mean
from input_pipeline.object_store import is_remote
from input_pipeline.storage import run_folder
from owdfa_jax.configs import default
from owdfa_jax.setting_checks import check_config
from owdfa_jax.training.run_record import CONFIG_FILE, recorded_settings

# The settings that may differ where a trained run is used. Others say what was
# trained.
USE_SETTINGS = (
  'compilation_cache',
  'data.num_threads',
  'data.path',
  'eval.batch_size',
  'eval.checkpoint',
  'eval.classify_by',
  'eval.false_alarm_rate',
  'eval.robustness',
  'eval.split',
  'eval.unseen_path',
  'eval.whitening',
  'log.page',
)
# What `run_settings` records beside the config.
_NO_SETTINGS = ('dataset', 'pseudo_labels', 'held_out')
# The folders of stages: 1-supervised, 2-METHOD, 3-round1, 3-round2, ...
_STAGE = re.compile(r'([0-9])-[a-z]+([0-9]*)')


def run_folders(workdir: str) -> list[epath.Path]:
  """Returns the folder of a run, or those of its stages in their order.

  Args:
    workdir: the folder of a run, a staged run or one stage.

  Raises:
    UserError: it holds no run.
  """
  folder = epath.Path(run_folder(workdir))
  found = _runs_in(folder)
  if not found:
    raise UserError(
      f'no run: {workdir} {_what_is_wrong(folder)}; give the folder that a '
      f'training wrote{_near(folder) or _above(workdir)}'
    )
  return found


def holds_run(path: str) -> bool:
  """Returns whether a local path is the folder of a run or a staged run.

  Args:
    path: any text.
  """
  try:
    return os.path.isdir(path) and bool(_runs_in(epath.Path(path)))
  except (OSError, ValueError):  # it cannot be read, or is no path
    return False


def name_and_stage(folder: pathlib.PurePath) -> tuple[str, str]:
  """Returns the name of a run, and that of the stage; '' if it is none.

  Args:
    folder: of a run, or of a stage in the folder of its run.
  """
  if _STAGE.fullmatch(folder.name) and folder.parent.name:
    return folder.parent.name, folder.name
  return folder.name, ''


def _runs_in(folder: epath.Path) -> list[epath.Path]:
  """Returns the folder of a run, those of its stages, or none."""
  if (folder / CONFIG_FILE).exists():
    return [folder]
  found = []
  if folder.is_dir():
    for entry in folder.iterdir():
      match = _STAGE.fullmatch(entry.name)
      if match and (entry / CONFIG_FILE).exists():
        found.append(((int(match[1]), int(match[2] or 0)), entry))
  return [entry for _, entry in sorted(found)]


def _what_is_wrong(folder: epath.Path) -> str:
  """Returns why a path holds no run."""
  if not folder.exists():
    return 'does not exist'
  return f'has no {CONFIG_FILE}' if folder.is_dir() else 'is a file'


def _near(folder: epath.Path) -> str:
  """Returns the folder that a path that does not exist may stand for, or ''."""
  if folder.exists() or is_remote(folder) or not folder.parent.is_dir():
    return ''
  names = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()]
  return did_you_mean(folder.name, names)


def _above(workdir: str) -> str:
  """Returns the run that a path lies in, one or two folders up, or ''."""
  if is_remote(workdir):
    return ''
  ups = [os.path.join(workdir, *up) for up in (('..',), ('..', '..'))]
  runs = [os.path.normpath(up) for up in ups if holds_run(up)]
  return f'; did you mean {" or ".join(runs)}?' if runs else ''


def recorded_config(folder: epath.Path) -> ml_collections.ConfigDict:
  """Returns the checked, locked config of a run, to use its network.

  What began the training is left out: initial weights and pseudo-labels.

  Args:
    folder: of the run, or of one stage.

  Raises:
    UserError: the record is missing, damaged, or of a later version.
  """
  settings = recorded_settings(folder) or {}
  method = settings.get('method.name')
  try:
    config = default.get_config(str(method), 'folder')
  except KeyError as error:
    raise UserError(
      f'damaged file: {folder / CONFIG_FILE} (method.name={method}); copy the '
      'run again'
    ) from error
  # The default config has values of today, and a round adds settings.
  with config.unlocked(), config.ignore_type():
    for name, value in settings.items():
      if not name.startswith((*_NO_SETTINGS, 'packed.')):
        _set(config, name, value)
    config.model.init = config.data.pseudo_labels = ''
  try:
    check_config(config)
  except UserError as error:
    raise UserError(
      f'the settings of the run cannot be used: {folder / CONFIG_FILE}: {error}'
    ) from error
  return config.lock()


def check_overrides(names: list[str], workdir: str) -> None:
  """Raises `UserError` if a setting says what the run was trained with.

  Args:
    names: of the settings that the user gave.
    workdir: the folder of the run.
  """
  for name in names:
    if name not in USE_SETTINGS:
      raise UsageError(
        f'a setting of the training: --config.{name}: the run in {workdir} has '
        f'its own; leave it out (only {", ".join(USE_SETTINGS)} may differ), '
        'or give --config'
      )


def _set(config: ml_collections.ConfigDict, name: str, value: Any) -> None:
  *sections, field = name.split('.')
  for section in sections:
    if section not in config:
      config[section] = ml_collections.ConfigDict()
    config = config[section]
  config[field] = value
