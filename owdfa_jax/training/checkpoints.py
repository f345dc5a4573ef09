"""Checkpoints on disk. This is the only file that uses Orbax."""

import contextlib
import os
import shutil
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.path import atomicity
from typing_extensions import override

from input_pipeline.errors import UserError
from input_pipeline.object_store import is_remote
from input_pipeline.storage import run_folder
from owdfa_jax.training.checkpoint_items import (
  model_item,
  score_to_select_by,
  train_item,
)
from owdfa_jax.training.disk_space import SPACE_FILE, check_fits
from owdfa_jax.training.manifest import MARK, write_manifest, write_mark
from owdfa_jax.training.save_errors import (
  silence_save_errors,
  storage_reason,
  wait_for_other_writes,
)
from owdfa_jax.training.saved_steps import CHECKPOINTS, is_step_name
from owdfa_jax.training.state import BatchStats, Params, TrainState
from owdfa_jax.training.verification import find_network, report_damage

_policies = ocp.checkpoint_managers
# Checkpoints that are no longer kept are renamed into this folder, at once, and
# then removed file by file.
_REMOVED = 'removed'
# BestN alone would delete the latest checkpoint when it is not the best, and a
# resumed run would repeat those steps. A checkpoint saved between evaluations,
# after a signal, is not a candidate for the best.
_BEST_AND_LATEST = _policies.AnyPreservationPolicy(
  [
    _policies.LatestN(1),
    _policies.BestN(
      get_metric_fn=score_to_select_by,
      n=1,
      keep_checkpoints_without_metrics=False,
    ),
  ]
)


class Checkpoints:
  """The `checkpoints/` folder of a run: its best and its latest checkpoint.

  A checkpoint has two items: `model` (parameters and statistics, all that
  evaluation needs) and `train` (the rest of the train state). Its folder gets
  the step number as its name once the checkpoint is complete and has its
  manifest, so a save that was killed leaves no checkpoint. A checkpoint that is
  no longer kept is renamed before it is removed, for the same reason. The next
  training run removes what a killed one left. In a store, where nothing can be
  renamed, a checkpoint counts as long as its last object is there, `MARK`.

  As a context manager, it waits at the end for the save in progress.
  """

  def __init__(self, workdir: epath.Path):
    """Opens the folder of checkpoints for the one run that writes there.

    Args:
      workdir: the folder of the run; an absolute path, since Orbax saves in
        the background and fails there without a message on a relative one. Its
        checkpoints must be sound, see `verification.verify_all`.
    """
    self.folder = workdir / CHECKPOINTS
    self._in_store = is_remote(workdir)
    unfinished = _UnfinishedInStore if self._in_store else _UnfinishedCheckpoint
    silence_save_errors()
    self._clear_removed()
    with self._report_refusal():
      self._manager = ocp.CheckpointManager(
        self.folder,
        options=ocp.CheckpointManagerOptions(
          best_fn=score_to_select_by,
          best_mode='max',
          # In a store it keeps all of them, and `remove_others` decides: Orbax
          # would not remove the mark first.
          preservation_policy=None if self._in_store else _BEST_AND_LATEST,
          cleanup_tmp_directories=True,
          temporary_path_class=unfinished,
          todelete_subdir=_REMOVED,
          create=True,
        ),
      )

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: types.TracebackType | None,
  ) -> None:
    failures: list[BaseException] = [] if error is None else [error]
    others = [self.remove_others] if self._in_store and error is None else []
    # Closing waits too, and raises again what waiting has raised.
    for finish in (self.wait, *others, self._close, self._clear_removed):
      try:
        finish()
      except Exception as failure:
        failures.append(failure)
    # The first failure is the cause. An error of the block propagates anyway.
    if error is None and failures:
      raise failures[0]

  def latest_step(self) -> int | None:
    """Returns the highest step saved, or None."""
    return self._manager.latest_step()

  def preemption_check(self) -> Callable[[int], bool] | None:
    """Returns a function from a step to whether a pod must stop after it.

    All processes of a pod must stop after the same step, so they agree on it
    with each other. Returns None if there is only one process.
    """
    if jax.process_count() == 1:
      return None
    return self._manager.reached_preemption

  def save(
    self, step: int, state: TrainState, metrics: dict[str, Any] | None = None
  ) -> None:
    """Starts to save `state` in the background.

    Does nothing if `step` is saved already.

    Args:
      step: the number of steps taken.
      state: may be donated as soon as this method returns.
      metrics: the metrics of the evaluation at this step, with the
        `selection_score` that decides which checkpoint is the best; None
        between evaluations.

    Raises:
      UserError: this checkpoint or the one before it could not be written.
    """
    if self.latest_step() == step:
      return
    # Saving waits for the save before it anyway.
    self.wait()
    with self._report_refusal():
      if self._in_store:
        self.remove_others()
      else:
        self._clear_removed()
        check_fits(self.folder, (model_item(state), train_item(state)))
      self._manager.save(
        step,
        metrics=metrics,
        args=ocp.args.Composite(
          model=ocp.args.StandardSave(model_item(state)),
          train=ocp.args.StandardSave(train_item(state)),
        ),
      )

  def wait(self) -> None:
    """Waits until the save in progress is complete.

    Raises:
      UserError: it could not be written.
    """
    with self._report_refusal():
      self._manager.wait_until_finished()

  def remove_others(self) -> None:
    """Removes checkpoints that are neither the best nor the latest.

    Saving does so. A run that was killed right after its last save has one too
    many, and saves no more. In a store the mark goes first: a kill then leaves
    an unfinished checkpoint, not a damaged one.
    """
    kept = {self._manager.best_step(), self.latest_step()}
    for step in self._manager.all_steps():
      if step not in kept:
        if self._in_store and jax.process_index() == 0:
          (self.folder / str(step) / MARK).unlink(missing_ok=True)
        self._manager.delete(step)

  def restore(self, step: int, target: TrainState) -> TrainState:
    """Returns the state saved at `step`.

    Args:
      step: one of the steps saved.
      target: a state of the same shapes. Its leaves determine types and
        shardings; `abstract_state` makes one that needs no memory.
    """
    items = _restore_items(
      self.folder / str(step),
      model=ocp.args.StandardRestore(model_item(target)),
      train=ocp.args.StandardRestore(train_item(target)),
    )
    model, rest = items['model'], items['train']
    return TrainState(
      step=rest['step'],
      params=model['params'],
      batch_stats=model['batch_stats'],
      opt_state=rest['opt_state'],
      method_state=rest['method'],
    )

  def _clear_removed(self) -> None:
    """Removes the checkpoints that are no longer kept."""
    # The processes of a pod share one file system.
    if jax.process_index() == 0 and not self._in_store:
      shutil.rmtree(self.folder / _REMOVED, ignore_errors=True)
      # Killed runs of earlier versions may have left this file.
      (self.folder / SPACE_FILE).unlink(missing_ok=True)

  def _close(self) -> None:
    with self._report_refusal():
      self._manager.close()

  @contextlib.contextmanager
  def _report_refusal(self) -> Iterator[None]:
    try:
      yield
    except Exception as error:
      reason = storage_reason(error)
      if reason is None:
        raise
      wait_for_other_writes()
      what = 'check your access' if self._in_store else 'free some space'
      raise UserError(
        f'cannot write the checkpoint: {self.folder} ({reason}); {what} or '
        'choose another --workdir, then run the same command again to resume'
      ) from error


class _UnfinishedCheckpoint(atomicity.AtomicRenameTemporaryPath):
  """The folder of a checkpoint, or of one of its items, while it is written."""

  @override
  async def finalize(self) -> None:
    final = self.get_final()
    if not is_step_name(final.name):  # an item
      await super().finalize()
      return
    # All processes have written all of their files by now, except metadata that
    # a thread of this process writes.
    if self._checkpoint_metadata_store:
      self._checkpoint_metadata_store.wait_until_finished()
    write_manifest(self.get(), int(final.name))
    os.rename(self.get(), final)


class _UnfinishedInStore(atomicity.CommitFileTemporaryPath):
  """The same in a store, where it has its name from the start."""

  @override
  async def finalize(self) -> None:
    if not is_step_name(self.get_final().name):  # an item
      return await super().finalize()
    if self._checkpoint_metadata_store:
      self._checkpoint_metadata_store.wait_until_finished()
    write_manifest(self.get_final(), int(self.get_final().name))
    write_mark(self.get_final())


def restore_model(
  folder: epath.Path, params: Params, batch_stats: BatchStats
) -> tuple[Params, BatchStats]:
  """Returns the parameters and statistics of a checkpoint.

  Args:
    folder: the folder of the checkpoint, absolute. It must be sound, see
      `verification.verify_checkpoint`.
    params: the parameters as `jax.ShapeDtypeStruct` leaves with the shardings
      wanted, for any number of devices, whichever devices the checkpoint was
      saved from.
    batch_stats: the statistics in the same form.

  Raises:
    UserError: the checkpoint was damaged after its verification, or it is
      damaged and has no checksums.
  """
  target = {'params': params, 'batch_stats': batch_stats}
  items = _restore_items(folder, model=ocp.args.StandardRestore(target))
  return items['model']['params'], items['model']['batch_stats']


def read_network(path: epath.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """Reads a saved network of any shape, once it is verified.

  All processes of a pod must call this at the same point of the program.

  Args:
    path: a workdir, for its best checkpoint, or one checkpoint,
      `WORKDIR/checkpoints/STEP`.

  Returns:
    The parameters and the statistics, nested dicts of numpy arrays.

  Raises:
    UserError: there is no checkpoint, or it is damaged.
  """
  folder = find_network(epath.Path(run_folder(path, 'the run')))
  model = _read_item(folder, 'model')
  return model['params'], model['batch_stats']


def read_arrays(folder: epath.Path) -> dict[str, np.ndarray]:
  """Returns all arrays of a checkpoint by their names, to compare them.

  Args:
    folder: `WORKDIR/checkpoints/STEP`, absolute.

  Raises:
    UserError: the checkpoint is damaged.
  """
  items = {item: _read_item(folder, item) for item in ('model', 'train')}
  leaves, _ = jax.tree_util.tree_flatten_with_path(items)
  return {
    jax.tree_util.keystr(path, simple=True, separator='/'): np.asarray(leaf)
    for path, leaf in leaves
  }


def _read_item(folder: epath.Path, item: str) -> dict[str, Any]:
  """Returns an item of a checkpoint as nested dicts of numpy arrays."""
  with report_damage(folder), ocp.PyTreeCheckpointer() as checkpointer:
    tree = checkpointer.metadata(folder / item).item_metadata.tree
    # As numpy: the devices it was saved from may not exist here.
    as_numpy = jax.tree.map(
      lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree
    )
    return checkpointer.restore(
      folder / item, args=ocp.args.PyTreeRestore(restore_args=as_numpy)
    )


def _restore_items(
  folder: epath.Path, **items: ocp.args.CheckpointArgs
) -> ocp.args.Composite:
  """Restores items of a checkpoint, without looking at other checkpoints."""
  handler = ocp.CompositeCheckpointHandler()
  with report_damage(folder), ocp.Checkpointer(handler) as checkpointer:
    return checkpointer.restore(folder, args=ocp.args.Composite(**items))
