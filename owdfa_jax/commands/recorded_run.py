"""Checks a run that its folder alone describes, before JAX is imported."""

from collections.abc import Mapping
from typing import Any

import ml_collections
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax.commands.preflight import (
  check_spectrum_mode,
  check_takes_reports,
)
from owdfa_jax.evaluation.new_images import check_unseen_path
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.checkpoint_choice import check_checkpoint
from owdfa_jax.training.recorded_config import recorded_config, run_folders
from owdfa_jax.training.run_data import (
  described_inputs,
  inputs_with_images,
)
from owdfa_jax.training.run_record import (
  check_same_network,
)


def check_recorded(
  workdir: str, mode: str, overrides: Mapping[str, Any], writes: bool = True
) -> list[RunInputs]:
  """Returns the inputs of a run, or of the stages that a mode uses.

  To evaluate a staged run, those of all its stages; otherwise of the last one.

  Args:
    workdir: the folder of the run.
    mode: 'eval', 'attribute' or 'estimate'. To attribute, the packed data need
      not be there.
    overrides: settings of the user, by names such as 'eval.split'.
    writes: whether the mode writes into the folder of the run.

  Raises:
    UserError: the run, a setting or the data does not fit.
  """
  folders = run_folders(workdir)
  if mode != 'eval':
    folders = folders[-1:]
  step = str(overrides.get('eval.checkpoint', ''))
  if len(folders) > 1 and step.isdecimal():
    raise UserError(
      f'stages have different steps: --config.eval.checkpoint={step}; give the '
      "folder of a stage as --workdir, or use 'best' or 'latest'"
    )
  found = []
  for folder in folders:
    config = recorded_config(folder).unlock()
    config.update_from_flattened_dict(dict(overrides))
    found.append(_check(config.lock(), folder, mode, writes))
  return found


def _check(
  config: ml_collections.ConfigDict,
  folder: epath.Path,
  mode: str,
  writes: bool,
) -> RunInputs:
  """Returns the checked inputs of one run or stage."""
  if 'spectrum' in config:
    if mode == 'eval':
      inputs_with_images(config, folder)
    return check_spectrum_mode(config, str(folder), mode)
  # The packed data of a run that was moved may be gone.
  inputs = described_inputs(config, folder) if mode == 'attribute' else None
  if inputs is None:
    inputs = inputs_with_images(config, folder)
  if mode == 'eval' and config.eval.unseen_path:
    check_unseen_path(config.eval.unseen_path, inputs.dataset)
  check_checkpoint(inputs)
  check_same_network(inputs)
  if writes:
    check_takes_reports(inputs.workdir, mode)
  return inputs
