"""Gives runs on little data a least number of steps.

A few hundred images give two or three steps an epoch, and the usual number of
epochs would end before the network has learnt anything. An epoch then passes
over the images several times. Epochs are not added: schedules, evaluations,
checkpoints and methods all count in epochs.
"""

from collections.abc import Collection, Mapping

import ml_collections

from input_pipeline.escape import terminal
from input_pipeline.text_tables import counted
from owdfa_jax.settings import RunInputs, check_run, epoch_steps
from owdfa_jax.training.run_record import recorded_passes

# The least number of steps. The demo, 20 classes from scratch, takes 517.
MIN_STEPS = 400


def give_least_steps(
  config: ml_collections.ConfigDict, workdir: str, given: Collection[str]
) -> str:
  """Sets `passes_per_epoch` so that a run has at least `MIN_STEPS`.

  The number of epochs that a user gives is left alone, and so is a run that the
  workdir already holds: it keeps its own number of passes.

  Args:
    config: the settings of a run, or of a run in stages; changed in place.
    workdir: the folder of the run, or of its first stage.
    given: the settings that the user has given.

  Returns:
    A line for the user about what was changed, or about a run that is very
    short; '' if there is nothing to say.

  Raises:
    UserError: a setting or the data does not fit.
  """
  first = check_run(config, workdir)
  dataset = first.dataset
  passes = config.passes_per_epoch
  if 'passes_per_epoch' not in given:
    passes = recorded_passes(first.workdir) or passes
  _set_passes(config, passes)
  in_epoch = epoch_steps(config, dataset)
  steps = in_epoch * config.epochs
  if steps >= MIN_STEPS:
    return ''
  more = passes * -(-MIN_STEPS // steps)
  has_begun = recorded_passes(first.workdir) is not None
  if has_begun or not _lengths(config).isdisjoint(given):
    another = ' in another --workdir' if has_begun else ''
    return (
      f'this run has only {counted(steps, "step")}; '
      f'--config.passes_per_epoch={more}{another} gives at least {MIN_STEPS}'
    )
  _set_passes(config, more)
  return (
    f'the data gives {counted(in_epoch, "step")} an epoch, {steps} in '
    f'{config.epochs} epochs; each epoch therefore passes over the images '
    f'{more} times, for {epoch_steps(config, dataset) * config.epochs} steps '
    f'(--config.passes_per_epoch={passes} leaves it at {steps})'
  )


def short_runs(runs: Mapping[str, RunInputs]) -> str:
  """Returns a line that names the runs of fewer steps than `MIN_STEPS`.

  Returns '' if there are none.

  Args:
    runs: the inputs of each run by its name.
  """
  steps = {
    name: epoch_steps(run.config, run.dataset) * run.config.epochs
    for name, run in runs.items()
  }
  short = {name: n for name, n in steps.items() if n < MIN_STEPS}
  if not short:
    return ''
  named = ', '.join(f'{terminal(name)} ({n})' for name, n in short.items())
  passes = max(
    runs[name].config.passes_per_epoch * -(-MIN_STEPS // n)
    for name, n in short.items()
  )
  return (
    f'runs of only a few steps: {named}; '
    f'--config.shared=passes_per_epoch={passes} in another --workdir gives at '
    f'least {MIN_STEPS}'
  )


def _lengths(config: ml_collections.ConfigDict) -> set[str]:
  """Returns the settings by which a user chooses the number of steps."""
  lengths = {'epochs', 'passes_per_epoch'}
  if 'stages' in config:
    lengths |= {'stages.pretrain_epochs', 'stages.round_epochs'}
  return lengths


def _set_passes(config: ml_collections.ConfigDict, passes: int) -> None:
  with config.unlocked():
    config.passes_per_epoch = passes
