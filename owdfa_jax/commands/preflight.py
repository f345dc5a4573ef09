"""Checks a command's settings, data and workdir before JAX is imported."""

import os

import ml_collections
from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.object_store import is_remote
from input_pipeline.packed_format import DESCRIPTION
from input_pipeline.storage import run_folder
from owdfa_jax.discovery.stage_plan import (
  FIRST_STAGES,
  SETTINGS_FROM_STAGE_BEFORE,
  check_stages,
  first_workdir,
)
from owdfa_jax.evaluation.new_images import check_unseen_path
from owdfa_jax.settings import (
  RunInputs,
  check_estimate,
  check_run,
  check_spectrum,
  check_training_split,
  find_initial_weights,
)
from owdfa_jax.training.checkpoint_choice import check_checkpoint
from owdfa_jax.training.run_record import (
  CONFIG_FILE,
  check_can_be_made,
  check_resumable,
  check_same_network,
  has_checkpoint,
  recorded_classes,
)
from owdfa_jax.weights.readers import read_weights


def check_inputs(
  config: ml_collections.ConfigDict,
  workdir: str,
  mode: str,
  *,
  writes: bool = True,
) -> RunInputs:
  """Checks the inputs of a run, and of every stage if it has stages.

  Args:
    config: the settings. To evaluate or attribute, the number of classes that
      the run was trained with is filled in if it is not given.
    workdir: the folder of the run.
    mode: 'train', 'eval', 'attribute', 'estimate' or 'timing'.
    writes: whether an evaluation or attribution writes into the workdir.

  Returns:
    The inputs of the run; of a run in stages, those of the last stage.

  Raises:
    UserError: a setting, the data or the workdir does not fit.
  """
  if 'spectrum' in config:
    return check_spectrum_mode(config, workdir, mode)
  if mode in ('eval', 'attribute', 'estimate'):
    take_number_of_classes(config, workdir)
  if 'stages' in config:
    stages = check_stages(config, workdir)
  else:
    stages = [check_run(config, workdir)]
  if mode == 'train':
    check_stages_of_workdir(run_folder(workdir), 'stages' in config)
  # The other modes use only the last stage's network.
  for inputs in stages if mode in ('train', 'eval') else stages[-1:]:
    if mode in ('train', 'eval') and inputs.config.eval.unseen_path:
      check_unseen_path(inputs.config.eval.unseen_path, inputs.dataset)
    if mode in ('train', 'timing'):
      check_training_split(inputs)
    if mode == 'train':
      # A stage gets these settings only once the stage before has finished.
      unknown = SETTINGS_FROM_STAGE_BEFORE if 'stages' in config else ()
      check_resumable(inputs, also_changeable=unknown)
      check_can_be_made(inputs.workdir)
      check_is_no_data(inputs.workdir)
      if not has_checkpoint(inputs.workdir):
        check_start(inputs)
    elif mode != 'timing':
      check_checkpoint(inputs)
      check_same_network(inputs)
      if writes:
        check_takes_reports(inputs.workdir, mode)
  return stages[-1]


def check_spectrum_mode(
  config: ml_collections.ConfigDict, workdir: str, mode: str
) -> RunInputs:
  """Checks the inputs of a run without a network; see `check_inputs`.

  Raises:
    UserError: the mode needs a network, or an input does not fit.
  """
  if mode not in ('train', 'eval'):
    raise UserError(
      f'no network: {mode} of a spectrum, which trains none; use the config or '
      'the run of a method'
    )
  if mode == 'eval':
    take_number_of_classes(config, workdir)
  inputs = check_spectrum(config, workdir)
  if path := config.eval.unseen_path:
    check_unseen_path(path, inputs.dataset, packed_only=True)
  check_stages_of_workdir(run_folder(workdir), staged=False)
  check_resumable(inputs)
  check_can_be_made(inputs.workdir)
  check_is_no_data(inputs.workdir)
  return inputs


def check_start(inputs: RunInputs) -> None:
  """Raises `UserError` if a run cannot begin; a run that resumes may go on."""
  check_estimate(inputs.config, inputs.dataset)
  # A run that resumes does not read its initial weights again.
  init = inputs.config.model.init
  if init:
    path = find_initial_weights(init)
    if not path.is_dir():
      read_weights(path)  # only for its errors; the run reads it again


def take_number_of_classes(
  config: ml_collections.ConfigDict, workdir: str
) -> None:
  """Sets `data.num_classes` to that of the run in the workdir, if not given.

  Raises:
    UserError: the record of the run cannot be read.
  """
  data = config.get('data')
  # Other mistakes in the config are found when it is checked.
  if not isinstance(data, ml_collections.ConfigDict):
    return
  if data.get('num_classes', 0) is None:
    folder = run_folder(first_workdir(config, workdir))
    data.num_classes = recorded_classes(epath.Path(folder))


def check_takes_reports(workdir: epath.Path, mode: str) -> None:
  """Raises `UserError` if nothing can be written into the folder of a run.

  Args:
    workdir: the folder.
    mode: what writes there: 'attribute' a table, 'estimate' nothing, others a
      report.
  """
  # That of a bucket shows when it is written to.
  if is_remote(workdir) or mode == 'estimate':
    return
  if not os.access(workdir, os.W_OK | os.X_OK):
    what, remedy = 'report', ''
    if mode == 'attribute':
      what, remedy = 'table', '--out=FILE elsewhere, or '
    raise UserError(
      f'no {what} can be written: --workdir={workdir} cannot be written; give '
      f'{remedy}a copy of it that can'
    )


def check_is_no_data(workdir: epath.Path) -> None:
  """Raises `UserError` if a run would be written into a packed directory."""
  if (workdir / DESCRIPTION).exists():
    raise UserError(
      f'the workdir is packed data: --workdir={workdir} has a {DESCRIPTION}; '
      'choose another --workdir'
    )


def check_stages_of_workdir(workdir: str, staged: bool) -> None:
  """Raises `UserError` if the workdir holds a run of the other kind.

  Args:
    workdir: the folder of the run.
    staged: whether the run has stages, each in a folder of its own.
  """
  folder = epath.Path(workdir)
  if staged and (folder / CONFIG_FILE).exists():
    raise UserError(
      f'the workdir holds a run that is not in stages: --workdir={workdir} has '
      f'a {CONFIG_FILE}; choose another --workdir'
    )
  first = [x for x in FIRST_STAGES if (folder / x).exists()]
  if not staged and first:
    raise UserError(
      f'the workdir holds a run in stages: --workdir={workdir} has a folder '
      f'{first[0]}; give --config=staged:METHOD,BENCHMARK or choose another '
      '--workdir'
    )
