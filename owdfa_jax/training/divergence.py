"""Stops a run whose training diverges, or counts the steps it skips."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.escape import shortened
from owdfa_jax.experiment import Experiment
from owdfa_jax.parallel import from_first_process, largest_of_processes
from owdfa_jax.training.finite import STATE_PARTS
from owdfa_jax.training.metric_lines import METRICS_FILE, read_lines
from owdfa_jax.training.progress import say
from owdfa_jax.training.state import TrainState

# Names in the log.
SKIPPED = 'train/skipped_steps'
SKIPPED_IN_A_ROW = 'train/skipped_in_a_row'
_IMAGES_SHOWN, _ID_LENGTH = 3, 60


@dataclasses.dataclass
class SkippedSteps:
  """How many steps were skipped because they diverged.

  Attributes:
    total: steps skipped since the run began.
    in_a_row: steps skipped since the last one that was taken.
  """

  total: int = 0
  in_a_row: int = 0


class Divergence:
  """Decides what follows a step that diverged, by `config.on_divergence`.

  The step itself has changed nothing, see `training.finite`. All processes of a
  pod decide the same, since a step's report is the same on all of them.
  """

  def __init__(
    self,
    experiment: Experiment,
    num_steps: int,
    skipped: SkippedSteps,
    last_checkpoint: Callable[[], int | None],
  ):
    """Changes nothing yet.

    Args:
      experiment: the run.
      num_steps: the steps of the whole run.
      skipped: what the run skipped before it was resumed.
      last_checkpoint: returns the step of the latest checkpoint, or None.
    """
    self._experiment = experiment
    self._num_steps = num_steps
    self._skipped = skipped
    self._last_checkpoint = last_checkpoint

  @property
  def skips(self) -> bool:
    """Whether the run goes on after a step that diverged."""
    return self._experiment.config.on_divergence == 'skip'

  def count(self, taken: bool) -> dict[str, float | None]:
    """Counts a step and returns the counts for the log.

    Args:
      taken: whether the step changed the state.
    """
    self._skipped.total += not taken
    self._skipped.in_a_row = 0 if taken else self._skipped.in_a_row + 1
    if not self.skips:
      return {}
    return {
      SKIPPED: self._skipped.total,
      SKIPPED_IN_A_ROW: self._skipped.in_a_row,
    }

  def stop_or_skip(
    self, step: int, names: Sequence[str], rows: np.ndarray
  ) -> None:
    """Ends the run after a step that diverged, or prints that it is skipped.

    Args:
      step: the step; `count` has counted it.
      names: what was not finite, by the names in the log.
      rows: int [b], the training rows of the batch in this process.

    Raises:
      UserError: the run stops on divergence, or has skipped too many steps in a
        row.
    """
    config, total = self._experiment.config, self._skipped.total
    few = self._skipped.in_a_row <= config.max_skipped_in_a_row
    # A run that has skipped every step must not succeed.
    if self.skips and few and total < self._num_steps:
      # The 1st, 2nd, 4th, 8th ...: a run may skip thousands of steps.
      if total & (total - 1) == 0:
        say(
          f'step {step} is skipped: not finite: {", ".join(names)} '
          f'({total} skipped so far)',
          always=True,
        )
      return
    where = f'step {step}'
    if self.skips:
      where = f'{self._skipped.in_a_row} steps in a row, up to step {step}'
    raise UserError(
      f'the training diverged: {where} of --workdir='
      f'{self._experiment.workdir} (not finite: {", ".join(names)}; '
      f'{self._describe_images(rows)}); {self._remedy()}'
    )

  def say_total(self) -> None:
    """Prints at the end of a run how many steps were skipped, if any."""
    if self._skipped.total:
      say(
        f'{self._skipped.total} of {self._num_steps} steps were skipped, '
        'because they diverged',
        always=True,
      )

  def _describe_images(self, rows: np.ndarray) -> str:
    """Returns the first images of a batch, for a message."""
    ids = self._experiment.dataset.train.ids(rows[:_IMAGES_SHOWN])
    names = ', '.join(shortened(name, _ID_LENGTH) for name in ids)
    part = ' in this process' if jax.process_count() > 1 else ''
    rest = len(rows) - len(ids)
    more = f' and {rest} more' if rest else ''
    return f'images of the batch{part}: {names}{more}'

  def _remedy(self) -> str:
    """Returns where the run can go on from, and with which settings."""
    config, step = self._experiment.config, self._last_checkpoint()
    last = 'there is no checkpoint yet'
    if step is not None:
      last = f'the last good checkpoint is step {step}'
    changes = (
      'another --workdir with a lower --config.optimizer.learning_rate (now '
      f'{config.optimizer.learning_rate:g})'
    )
    if config.model.dtype != 'float32':
      changes += ' or --config.model.dtype=float32'
    if self.skips:
      return f'{last}; try {changes}'
    return (
      f'{last}; try the same command with --config.on_divergence=skip, which '
      f'goes on without such steps, or {changes}'
    )


def skipped_before(workdir: epath.Path, step: int) -> SkippedSteps:
  """Returns what a run had skipped up to a step, from its `metrics.jsonl`.

  Every process of a pod must call this. A run without the file, or with a
  damaged one, begins to count anew.

  Args:
    workdir: the folder of the run.
    step: the step that the run is resumed after.
  """
  skipped = SkippedSteps()
  for line in read_lines(workdir / METRICS_FILE):
    total, in_a_row = line.get(SKIPPED, -1), line.get(SKIPPED_IN_A_ROW, -1)
    # Neither may be more than the steps taken, or the file is damaged.
    counts = all(type(x) is int and 0 <= x <= step for x in (total, in_a_row))
    if line['step'] <= step and counts:
      # Each skipped step has a line, so a later step that has none was taken.
      last = line['step'] == step
      skipped = SkippedSteps(total, in_a_row if last else 0)
  return SkippedSteps(
    from_first_process(skipped.total), from_first_process(skipped.in_a_row)
  )


def check_restored(state: TrainState, step: int, workdir: epath.Path) -> None:
  """Raises `UserError` if a state read from a checkpoint is not finite.

  All processes of a pod must call this at the same point of the program: each
  may hold a part of the state.

  Args:
    state: the state.
    step: the checkpoint's step.
    workdir: the folder of the run.
  """
  names = [
    name
    for name, field in STATE_PARTS.items()
    # On the host, array by array: no program is compiled for it.
    if not all(map(_is_finite_here, jax.tree.leaves(getattr(state, field))))
  ]
  parts = list(STATE_PARTS)
  number = largest_of_processes(1 + parts.index(names[0]) if names else 0)
  if number:
    raise UserError(
      f'the checkpoint is of a run that diverged: step {step} of '
      f'--workdir={workdir} (not finite: {parts[number - 1]}); train in '
      'another --workdir, with a lower --config.optimizer.learning_rate'
    )


def _is_finite_here(array: jax.Array) -> bool:
  """Returns whether this process's parts of an array are finite."""
  shards = array.addressable_shards
  if array.is_fully_replicated:
    shards = shards[:1]
  return all(np.isfinite(np.asarray(x.data)).all() for x in shards)


def check_evaluation(
  metrics: Mapping[str, float | None], step: int, workdir: epath.Path
) -> None:
  """Raises `UserError` if a metric is not finite, before it selects anything.

  Args:
    metrics: numbers by name; None where there is none.
    step: the number of steps taken.
    workdir: the folder of the run.
  """
  names = [
    name
    for name, value in metrics.items()
    if isinstance(value, float) and not math.isfinite(value)
  ]
  if names:
    raise UserError(
      f'the training diverged: step {step} of --workdir={workdir} (not finite '
      f'in the evaluation: {", ".join(names)}); try another --workdir with a '
      'lower --config.optimizer.learning_rate'
    )
