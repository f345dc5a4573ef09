"""Lists the checkpoints of a run, without JAX and without Orbax.

A folder of checkpoints has a folder for each step that was saved. A checkpoint
that is damaged does not keep the others from being found.
"""

import dataclasses
import json
import math
from typing import Any, TypeGuard

from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.files import read_regular
from input_pipeline.object_store import is_remote, os_errors
from owdfa_jax.report_fields import SELECTION_SCORE, with_current_names
from owdfa_jax.training.manifest import (
  CHECKPOINTS,
  METRICS_FILE,
  METRICS_FOLDER,
  find_damage,
  is_complete,
)


def step_folders(workdir: epath.Path) -> list[int]:
  """Returns the steps that have a folder, in order, complete or not.

  In a store, where an unfinished checkpoint has the name of a finished one,
  only those that were completed.

  Raises:
    UserError: the folder of checkpoints cannot be read.
  """
  folder = workdir / CHECKPOINTS
  try:
    with os_errors(folder):
      names = [x.name for x in folder.iterdir()] if folder.exists() else []
      steps = sorted(int(name) for name in names if is_step_name(name))
      # In a store, an unfinished checkpoint has the name of a finished one.
      if is_remote(folder):
        steps = [x for x in steps if is_complete(folder / str(x))]
  except OSError as error:
    raise UserError(
      f'the run cannot be read: {folder} ({error.strerror}); check its '
      'permissions, or use another folder'
    ) from error
  return steps


def is_step_name(name: str) -> bool:
  """Returns whether a folder of this name holds the checkpoint of a step."""
  # '²'.isdecimal() is False, '٣'.isdecimal() is True.
  return name.isascii() and name.isdecimal() and str(int(name)) == name


def saved_steps(workdir: epath.Path) -> list[int]:
  """Returns the steps of the complete checkpoints in `workdir`, in order.

  A complete checkpoint may have been damaged since; its files are not read.

  Raises:
    UserError: the folder of checkpoints cannot be read.
  """
  folder = workdir / CHECKPOINTS
  return [
    step for step in step_folders(workdir) if is_complete(folder / str(step))
  ]


def sound_siblings(folder: epath.Path) -> list[int]:
  """Returns the other steps beside a checkpoint that are as they were saved.

  Reads every file of theirs.

  Args:
    folder: the folder of the checkpoint.
  """
  if folder.parent.name != CHECKPOINTS:
    return []
  return [
    step
    for step in step_folders(folder.parent.parent)
    if str(step) != folder.name and not find_damage(folder.parent / str(step))
  ]


@dataclasses.dataclass(frozen=True)
class Scores:
  """The readable metrics of the checkpoints of a run.

  Attributes:
    metrics: the metrics of each step; None where none were saved, as between
      two evaluations.
    damage: what is wrong with the checkpoints whose metrics cannot be read,
      by step.
  """

  metrics: dict[int, dict[str, Any] | None]
  damage: dict[int, str]

  def best_step(self) -> int | None:
    """Returns the step with the highest selection score, the later of equals.

    If no step has a score, returns the latest one; None if there is none.
    """
    scores = {
      step: metrics[SELECTION_SCORE]
      for step, metrics in self.metrics.items()
      # Earlier versions saved scores that are not finite.
      if metrics and is_finite(metrics.get(SELECTION_SCORE))
    }
    if not scores:
      return max(self.metrics, default=None)
    return max(scores, key=lambda step: (scores[step], step))

  def latest_metrics(self) -> dict[str, Any] | None:
    """Returns the metrics of the latest step, with it as `checkpoint_step`.

    Returns None if they were not saved or cannot be read, or there is no step.
    """
    latest = max([*self.metrics, *self.damage], default=-1)
    metrics = self.metrics.get(latest)
    return {'checkpoint_step': latest, **metrics} if metrics else None


def read_scores(workdir: epath.Path) -> Scores:
  """Reads the metrics of all checkpoints; their arrays are not read.

  Raises:
    UserError: the folder of checkpoints cannot be read.
  """
  scores = Scores({}, {})
  for step in step_folders(workdir):
    folder = workdir / CHECKPOINTS / str(step)
    if damage := find_damage(folder, only=METRICS_FOLDER):
      # A run that is training may have removed it since it was listed.
      if folder.exists():
        scores.damage[step] = damage
      continue
    try:
      scores.metrics[step] = _read_metrics(folder)
    except (OSError, ValueError, AttributeError, RecursionError):
      scores.damage[step] = f'{folder / METRICS_FILE} (not readable)'
  return scores


def _read_metrics(folder: epath.Path) -> dict[str, Any] | None:
  """Returns the metrics in the folder of a checkpoint; None without a file."""
  try:
    content = read_regular(folder / METRICS_FILE)
  except FileNotFoundError:
    return None
  return with_current_names(json.loads(content))


def is_finite(score: Any) -> TypeGuard[float]:
  """Returns whether a selection score is a finite number."""
  try:
    return isinstance(score, (int, float)) and math.isfinite(score)
  except OverflowError:  # a whole number beyond float
    return False
