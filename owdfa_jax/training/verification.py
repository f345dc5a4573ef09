"""Verifies checkpoints before they are restored, on every process of a pod.

Each process reads the files itself, because each restores them itself, and a
file system may give different bytes to different hosts. The processes then
exchange their findings: if one stopped alone, the others would wait for it.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any

import jax
from etils import epath

from input_pipeline import escape
from input_pipeline.errors import UserError
from input_pipeline.object_store import is_remote, move_objects, os_errors
from owdfa_jax.parallel import first_process_with, from_first_process
from owdfa_jax.training.manifest import (
  MARK,
  can_be_verified,
  find_damage,
  is_complete,
)
from owdfa_jax.training.progress import say
from owdfa_jax.training.save_errors import storage_reason
from owdfa_jax.training.saved_steps import (
  CHECKPOINTS,
  read_scores,
  sound_siblings,
  step_folders,
)

_REMEDY = 'put a copy in its place'
# Checkpoints without a manifest that were reported: each is reported once.
_reported: set[str] = set()


def choose_checkpoint(
  workdir: epath.Path, wanted: str = 'best'
) -> tuple[epath.Path, dict[str, Any] | None]:
  """Returns the folder of a checkpoint of a run that has checkpoints.

  All processes of a pod must call this at the same point of the program.

  Args:
    workdir: the folder of the run.
    wanted: 'best', 'latest' or a step, as `eval.checkpoint` has it.

  Returns:
    The folder, and the metrics of the latest checkpoint with its step as
    `checkpoint_step`; None in place of the metrics if it was saved between
    evaluations, or is damaged.
  """
  scores = read_scores(workdir)
  steps = [*scores.metrics, *scores.damage]
  if wanted == 'best':
    # If all are damaged, verifying one of them raises the error.
    best = scores.best_step()
    step = max(steps) if best is None else best
    # The arrays of a checkpoint may be damaged although its metrics are not.
    if scores.damage and not find_damage(workdir / CHECKPOINTS / str(step)):
      for damage in scores.damage.values():
        say(
          f'damaged checkpoint: {damage}; step {step}, the best of the others, '
          'is used',
          always=True,
        )
  else:
    step = max(steps) if wanted == 'latest' else int(wanted)
  # Another process may still see an older list of the folder.
  step = from_first_process(step)
  return workdir / CHECKPOINTS / str(step), scores.latest_metrics()


def verify_checkpoint(folder: epath.Path, setting: str) -> None:
  """Checks that a checkpoint is as it was saved.

  All processes of a pod must call this at the same point of the program.

  Args:
    folder: the folder of the checkpoint.
    setting: how a user asks for the checkpoint of another step, with `{step}`
      for its number.

  Raises:
    UserError: it is damaged. The message names the file and the steps whose
      checkpoints are sound.
  """
  if damage := _agreed_damage(folder):
    if not folder.exists():
      raise UserError(
        f'the checkpoint is gone: {folder}; a run that trains there may have '
        'removed it, so give the same command again'
      )
    sound = sound_siblings(folder)
    remedy = _REMEDY
    if sound:
      remedy += f', or take another one: {setting.format(step=sound[-1])}'
    elif folder.parent.name == CHECKPOINTS:
      remedy += f', or remove {folder.parent} and train again from the start'
    else:
      remedy += ', or take another one'
    raise UserError(
      f'damaged checkpoint: {damage}; {_list_sound(sound)}; {remedy}'
    )
  _report_unverifiable([folder])


def find_network(path: epath.Path) -> epath.Path:
  """Returns the folder of a checkpoint that a path means, once it is verified.

  All processes of a pod must call this at the same point of the program.

  Args:
    path: a workdir, for its best checkpoint, or one checkpoint,
      `WORKDIR/checkpoints/STEP`; absolute.

  Raises:
    UserError: there is no checkpoint, or it is damaged.
  """
  folder = choose_checkpoint(path)[0] if step_folders(path) else path
  if folder.parent.name != CHECKPOINTS and not is_complete(folder):
    raise UserError(
      f'no checkpoint: {folder}; give the workdir of a run that has one (of a '
      f'staged run, the folder of a stage), or RUN/{CHECKPOINTS}/STEP'
    )
  verify_checkpoint(folder, f'{folder.parent}/{{step}}')
  return folder


@contextlib.contextmanager
def report_damage(folder: epath.Path) -> Iterator[None]:
  """Reports an error of restoring a checkpoint in one line, if it is damaged.

  Raises:
    UserError: the checkpoint was damaged after its verification, or it is
      damaged and has no checksums; or the store that it is in refuses.
  """
  try:
    yield
  except Exception as error:
    damage = find_damage(folder)
    if is_remote(folder) and not damage and (why := storage_reason(error)):
      raise UserError(
        f'cannot read the checkpoint: {folder} ({why}); check your access, '
        'then give the same command again'
      ) from error
    if not damage and can_be_verified(folder):
      raise
    if not damage:
      why = escape.message(f'{type(error).__name__}: {error}', 200)
      damage = f'{folder} ({why})'
    raise UserError(
      f'damaged checkpoint: {damage}; {_REMEDY}, or take another one'
    ) from error


def verify_all(workdir: epath.Path, on_damage: str) -> None:
  """Checks all checkpoints of a run that is to go on.

  All processes of a pod must call this at the same point of the program.

  Args:
    workdir: the folder of the run.
    on_damage: 'stop', or 'fall_back' to put damaged checkpoints aside, as
      `STEP.damaged`, and go on from the latest sound one.

  Raises:
    UserError: a checkpoint is damaged, and `on_damage` is 'stop' or there is no
      sound one; or it cannot be put aside.
  """
  root = workdir / CHECKPOINTS
  damaged, sound = {}, []
  for step in _agreed_steps(workdir):
    if damage := _agreed_damage(root / str(step)):
      damaged[step] = damage
    else:
      sound.append(step)
  if damaged and not sound:
    raise UserError(
      f'damaged checkpoint: {damaged[max(damaged)]}; {_list_sound(sound)}; '
      f'{_REMEDY}, or remove {root} to train from the start'
    )
  if damaged and on_damage == 'stop':
    others = f' (and {len(damaged) - 1} more)' if len(damaged) > 1 else ''
    raise UserError(
      f'damaged checkpoint: {damaged[max(damaged)]}{others}; '
      f'{_list_sound(sound)}; {_REMEDY}, or go on from step {sound[-1]} with '
      '--config.checkpoints.on_damage=fall_back'
    )
  for step, damage in damaged.items():
    aside = _put_aside(root / str(step))
    say(f'damaged checkpoint: {damage}; renamed to {aside}', always=True)
  if damaged:
    say(
      f'going on from step {sound[-1]}, the latest sound checkpoint',
      always=True,
    )
  _report_unverifiable([root / str(step) for step in sound])


def _list_sound(steps: list[int]) -> str:
  if not steps:
    return 'no other checkpoint is sound'
  return f'sound steps: {", ".join(map(str, steps))}'


def _agreed_steps(workdir: epath.Path) -> list[int]:
  """Returns the steps that process 0 finds, the same on every process."""
  steps = step_folders(workdir)
  number = from_first_process(len(steps))
  # Another process may still see an older list of the folder.
  steps = (steps + [0] * number)[:number]
  return [from_first_process(step) for step in steps]


def _agreed_damage(folder: epath.Path) -> str:
  """Returns what is wrong with a checkpoint on any process; '' for nothing."""
  damage = find_damage(folder)
  process = first_process_with(bool(damage))
  if process is None:
    return ''
  return damage or f'{folder} (process {process} of the pod reads other bytes)'


def _put_aside(folder: epath.Path) -> str:
  """Renames a checkpoint so that it no longer counts as one.

  Returns:
    Its new name.

  Raises:
    UserError: it cannot be renamed.
  """
  aside, error_number = folder.with_name(f'{folder.name}.damaged'), 0
  # The processes of a pod share one file system.
  if jax.process_index() == 0:
    number = 2
    while aside.exists():
      aside = folder.with_name(f'{folder.name}.damaged-{number}')
      number += 1
    try:
      if is_remote(folder):
        with os_errors(folder):
          (folder / MARK).unlink()  # moving it may be interrupted
        move_objects(folder, aside)
      else:
        folder.rename(aside)
    except OSError as error:
      error_number = error.errno or errno.EIO
  if error_number := from_first_process(error_number):
    raise UserError(
      f'a damaged checkpoint cannot be renamed: {folder} '
      f'({os.strerror(error_number)}); remove it'
    )
  return aside.name


def _report_unverifiable(folders: list[epath.Path]) -> None:
  """Prints a line, once, for each checkpoint without a manifest."""
  for folder in folders:
    if not can_be_verified(folder) and str(folder) not in _reported:
      _reported.add(str(folder))
      say(
        f'not verified: {folder} was saved by an earlier version, without '
        'checksums',
        always=True,
      )
