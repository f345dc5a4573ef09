"""Opens a trained run from its folder alone."""

import os
from collections.abc import Mapping
from typing import Any

from input_pipeline.errors import UserError
from owdfa_jax.experiment import Experiment, build_experiment
from owdfa_jax.inference.current_sources import DATA_ARGUMENT
from owdfa_jax.setting_ranges import RANGES
from owdfa_jax.training.checkpoint_choice import check_checkpoint_name
from owdfa_jax.training.recorded_config import recorded_config, run_folders
from owdfa_jax.training.run_data import (
  described_inputs,
  inputs_with_images,
)


def open_run(
  workdir: str | os.PathLike[str],
  *,
  checkpoint: str | int | None = None,
  batch_size: int | None = None,
  num_threads: int | None = None,
  data: str | os.PathLike[str] | None = None,
  data_option: str = DATA_ARGUMENT,
  settings: Mapping[str, Any] | None = None,
) -> Experiment:
  """Returns a trained run with a network; of a staged run, the last stage.

  Its packed data need not be there.

  Args:
    workdir: the folder of the run, or of one of its stages.
    checkpoint: 'best', 'latest' or a step; None: what the run was configured
      with, which is what its report is of.
    batch_size: images in a batch of an evaluation; None: as in the run.
    num_threads: threads that read images; None: as in the run.
    data: the packed directory; None for where the run had it.
    data_option: how the user gives it, for messages.
    settings: further ones that may differ, by names such as 'eval.split', see
      `recorded_config.USE_SETTINGS`.

  Raises:
    UserError: there is no run, it is damaged, it has no network, or it was
      trained by an earlier version and its data is not there.
  """
  folder = run_folders(os.fspath(workdir))[-1]
  config = recorded_config(folder)
  if 'spectrum' in config:
    raise UserError(
      f'no network: {folder} is the run of a spectrum, which names no new '
      'images; load the run of a method'
    )
  with config.unlocked():
    config.update_from_flattened_dict(dict(settings or {}))
    if checkpoint is not None:
      check_checkpoint_name('checkpoint', str(checkpoint))
      config.eval.checkpoint = str(checkpoint)
    if batch_size is not None:
      RANGES['eval.batch_size'].check('batch_size', batch_size)
      config.eval.batch_size = batch_size
    if num_threads is not None:
      RANGES['data.num_threads'].check('num_threads', num_threads)
      config.data.num_threads = num_threads
    if data is not None:
      config.data.path = os.fspath(data)
  inputs = described_inputs(config, folder)
  if inputs is None:
    inputs = inputs_with_images(config, folder, data_option)
  return build_experiment(inputs, trains=False)
