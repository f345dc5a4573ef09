"""Stops a run whose training diverges, or counts the steps it skips."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.files import absolute
from owdfa_jax.experiment import Experiment
from owdfa_jax.parallel import from_first_process
from owdfa_jax.training.metric_lines import METRICS_FILE, read_lines
from owdfa_jax.training.progress import say

# Names in the log.
SKIPPED = 'train/skipped_steps'
SKIPPED_IN_A_ROW = 'train/skipped_in_a_row'
_IMAGES_SHOWN = 8


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

  The step itself has changed nothing, see `training.finite`. Every process of a
  pod decides the same, since a step's report is the same on all of them.
  """

  def __init__(
    self,
    experiment: Experiment,
    skipped: SkippedSteps,
    last_checkpoint: Callable[[], int | None],
  ):
    """Changes nothing yet.

    Args:
      experiment: the run.
      skipped: what the run skipped before it was resumed.
      last_checkpoint: returns the step of the latest checkpoint, or None.
    """
    self._experiment = experiment
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
    """Ends the run after a step that diverged, or says that it was skipped.

    Args:
      step: the step; `count` has counted it.
      names: what was not finite, by the names in the log.
      rows: int [b], the training rows of the batch in this process.

    Raises:
      UserError: the run stops on divergence, or has skipped too many steps in a
        row.
    """
    config, total = self._experiment.config, self._skipped.total
    if self.skips and self._skipped.in_a_row <= config.max_skipped_in_a_row:
      # The 1st, 2nd, 4th, 8th ...: a run may skip thousands of steps.
      if total & (total - 1) == 0:
        say(
          f'step {step} is skipped: not finite: {", ".join(names)} '
          f'({total} skipped so far)'
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

  def _describe_images(self, rows: np.ndarray) -> str:
    ids = self._experiment.dataset.train.ids(rows[:_IMAGES_SHOWN])
    images = ', '.join(ids)
    if len(rows) > len(ids):
      images += f' and {len(rows) - len(ids)} more'
    return f'images of the batch in this process: {images}'

  def _remedy(self) -> str:
    config = self._experiment.config
    step = self._last_checkpoint()
    last = 'there is no checkpoint yet'
    if step is not None:
      last = f'the last good checkpoint is step {step}'
    changes = (
      'a lower --config.optimizer.learning_rate (now '
      f'{config.optimizer.learning_rate:g})'
    )
    if config.model.dtype != 'float32':
      changes += ' or --config.model.dtype=float32'
    if self.skips:
      return f'{last}; try another --workdir with {changes}'
    return (
      f'{last}; try the same command with --config.on_divergence=skip, which '
      f'goes on from there without such steps, or another --workdir with '
      f'{changes}'
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
  for line in read_lines(absolute(workdir / METRICS_FILE)):
    if line['step'] > step or not isinstance(line.get(SKIPPED), int):
      continue
    skipped.total = line[SKIPPED]
    # Each skipped step has a line, so a later step that has none was taken.
    in_a_row = line.get(SKIPPED_IN_A_ROW)
    last = line['step'] == step and isinstance(in_a_row, int)
    skipped.in_a_row = in_a_row if last else 0
  return SkippedSteps(
    from_first_process(skipped.total), from_first_process(skipped.in_a_row)
  )
