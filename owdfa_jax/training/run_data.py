"""The description of a run's data in its workdir, without importing JAX.

`data.json` has what packing wrote about the images: their size, the classes,
how faces or tiles were cut out. With it a run names the sources of new images
where its packed data is not at hand.
"""

import json
import os
from typing import Any

import ml_collections
from etils import epath

from input_pipeline import strict_json
from input_pipeline.dataset import PackedDataset, describe_dataset
from input_pipeline.errors import UserError
from input_pipeline.files import read_regular, write_whole
from owdfa_jax.settings import (
  OtherClasses,
  RunInputs,
  check_run,
  check_with_data,
  count_outputs,
)
from owdfa_jax.training.recorded_config import recorded_config
from owdfa_jax.training.run_record import CONFIG_FILE

# The file of the description in a workdir.
DATA_FILE = 'data.json'
# How a user says where the packed directory is, where that is a setting.
DATA_OPTION = '--config.data.path=DIR'
# Facts on single files and images, which only the packed directory needs.
_LEFT_OUT = ('shards', 'skipped', 'duplicates')


def write_run_data(inputs: RunInputs) -> None:
  """Writes `data.json`, unless it is there already or the images are not.

  Args:
    inputs: a run.

  Raises:
    UserError: the file cannot be written.
  """
  dataset, path = inputs.dataset, inputs.workdir / DATA_FILE
  if not dataset.has_images:
    return
  content = _as_text(
    {k: v for k, v in dataset.description.items() if k not in _LEFT_OUT}
  )
  try:
    if read_regular(path).decode() == content:
      return
  except (OSError, ValueError):
    pass  # it is missing or damaged
  with write_whole(path, text=True, what='the description of the data') as file:
    file.write(content)


def read_run_data(workdir: epath.Path, data_path: str) -> PackedDataset | None:
  """Returns the data of a run without its images; None without the file.

  Args:
    workdir: the run's folder.
    data_path: where the packed directory was.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  path = workdir / DATA_FILE
  try:
    content = read_regular(path)
  except FileNotFoundError:
    return None
  except OSError as error:
    raise UserError(
      f'cannot read {os.fspath(path)}: {error.strerror}; check its permissions'
    ) from error
  try:
    description = strict_json.loads(content)
    if not isinstance(description, dict):
      raise ValueError('it is not an object')
    return describe_dataset(description, data_path)
  except ValueError as error:
    raise UserError(
      f'damaged file: {path}: {error}; copy it again, or remove it and '
      'evaluate the run where its packed data is, which writes it anew'
    ) from error


def described_inputs(
  config: ml_collections.ConfigDict, folder: epath.Path
) -> RunInputs | None:
  """Returns the inputs of a run without its images; None without `data.json`.

  Args:
    config: the settings of the run.
    folder: of the run, or of one stage.

  Raises:
    UserError: the file is damaged, or does not fit the settings.
  """
  dataset = read_run_data(folder, config.data.path)
  if dataset is None:
    return None
  return check_with_data(config, str(folder), dataset)


def inputs_with_images(
  config: ml_collections.ConfigDict,
  folder: epath.Path,
  option: str = DATA_OPTION,
) -> RunInputs:
  """Returns the inputs of a run with its images.

  Args:
    config: the settings of the run.
    folder: of the run, or of one stage.
    option: how the user says where the packed directory is.

  Raises:
    UserError: the packed directory is not there or cannot be used; the message
      describes it.
  """
  try:
    return check_run(config, str(folder))
  except OtherClasses as error:
    raise UserError(
      f'not the data of the run: {config.data.path} has other classes than '
      f'{folder / CONFIG_FILE} records; give {option}, the packed directory '
      'that the run was trained on'
    ) from error
  except UserError as error:
    # Other mistakes are those of the settings or of damaged files.
    path = config.data.path
    if '://' in path or os.path.exists(path):
      raise
    dataset = read_run_data(folder, path)
    what = (
      f'a run by an earlier version, without {DATA_FILE}'
      if dataset is None
      else _describe(dataset)
    )
    raise UserError(
      f'the data of the run is not there: {path} ({what}); give {option}, the '
      'packed directory'
    ) from error


def recorded_num_outputs(folder: epath.Path) -> int | None:
  """Returns how many outputs the network of a run has, from its folder alone.

  Args:
    folder: of the run, or of one stage.

  Returns:
    None for a run by an earlier version, which has no `data.json`, and for one
    whose record cannot be read: that is reported where the run is used.
  """
  try:
    config = recorded_config(folder)
    inputs = described_inputs(config, folder)
    return None if inputs is None else count_outputs(config, inputs.dataset)
  except UserError:
    return None


def _describe(dataset: PackedDataset) -> str:
  """Returns what a packed directory holds, to recognise it."""
  made, splits = dataset.description, dataset.description['splits']
  return (
    f'{splits["train"]["records"]} training and {splits["test"]["records"]} '
    f'test images of {dataset.image_size} pixels, {dataset.num_classes} '
    f'classes, packed from {made["made"].get("meta_csv", "a meta CSV")}'
  )


def _as_text(description: dict[str, Any]) -> str:
  return json.dumps(description, indent=2, allow_nan=False) + '\n'
