"""Checks which checkpoint of a run is asked for, without importing JAX."""

from input_pipeline import escape
from input_pipeline.errors import UsageError, UserError
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.saved_steps import CHECKPOINTS, step_folders

_NAMES = ('best', 'latest')


def check_checkpoint_name(setting: str, wanted: str) -> None:
  """Raises `UsageError` for a text that names no checkpoint of any run.

  Args:
    setting: the option as the user writes it, such as '--checkpoint'.
    wanted: its value.
  """
  if wanted not in _NAMES and not _is_step(wanted):
    raise UsageError(
      f'no such checkpoint: {setting}={escape.shortened(wanted)}; use '
      "'best', 'latest' or the number of a step"
    )


def check_checkpoint(inputs: RunInputs) -> None:
  """Checks that the workdir has the checkpoint that `eval.checkpoint` names.

  Raises:
    UserError: it has none, or not that one, or cannot be read.
  """
  workdir, wanted = inputs.workdir, inputs.config.eval.checkpoint
  if workdir.exists() and not workdir.is_dir():
    raise UserError(
      f'not a folder: {workdir} is a file; give the folder of a run'
    )
  check_checkpoint_name('--config.eval.checkpoint', wanted)
  # Damage is reported later, when the files are verified.
  steps = step_folders(workdir)
  if _is_step(wanted) and int(wanted) not in steps:
    there_are = f'use one of {", ".join(map(str, steps))}'
    raise UserError(
      f'no such checkpoint: step {wanted} in {workdir / CHECKPOINTS}; '
      f'{there_are if steps else "there is none, train first"}'
    )
  if not steps:
    raise UserError(
      f'no checkpoint: {workdir} has none in {CHECKPOINTS}; train first, with '
      'the same --config and --workdir'
    )


def _is_step(text: str) -> bool:
  """Returns whether a text is the number of a step."""
  # A number beyond int64 is none.
  return text.isascii() and text.isdecimal() and len(text) < 19
