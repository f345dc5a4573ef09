"""Checks the inputs of a run that a config describes, before JAX is imported.

What the data decides is filled in: the number of classes where it is unknown,
and more passes over little data.
"""

from collections.abc import Collection

import ml_collections
from etils import epath

from input_pipeline.storage import run_folder
from owdfa_jax.commands.preflight import check_inputs
from owdfa_jax.discovery.stage_plan import first_workdir
from owdfa_jax.discovery.unknown_classes import (
  estimate_classes,
  take_or_hold_place,
)
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.small_data import give_least_steps


def check_configured(
  config: ml_collections.ConfigDict,
  mode: str,
  workdir: str,
  given: Collection[str],
  *,
  writes: bool = True,
) -> tuple[RunInputs, str]:
  """Returns the checked inputs of a run of a config, and a remark to print.

  Args:
    config: the settings; what the data decides is filled in.
    mode: as for `preflight.check_inputs`.
    workdir: the folder of the run.
    given: the settings that the user has given.
    writes: as for `preflight.check_inputs`.

  Raises:
    UserError: a setting, the data or the workdir does not fit.
  """
  # First: without a number of classes, no other setting can be checked.
  unknown = mode in ('train', 'timing') and take_or_hold_place(
    config, epath.Path(run_folder(first_workdir(config, workdir)))
  )
  remark = ''
  if mode == 'train' and 'spectrum' not in config:
    remark = give_least_steps(config, first_workdir(config, workdir), given)
  inputs = check_inputs(config, workdir, mode, writes=writes)
  if unknown:
    lines = estimate_classes(config)
    remark = f'{remark}\n{lines}' if remark else lines
  return inputs, remark
