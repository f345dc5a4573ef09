"""Checkpoints on disk. This is the only file that uses Orbax."""

import contextlib
import errno
import os
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.files import absolute
from owdfa_jax.parallel import from_first_process
from owdfa_jax.report_fields import SELECTION_SCORE, with_current_names
from owdfa_jax.training.run_record import CHECKPOINTS
from owdfa_jax.training.save_errors import (
  silence_save_errors,
  storage_reason,
  wait_for_other_writes,
)
from owdfa_jax.training.state import BatchStats, Params, TrainState

_policies = ocp.checkpoint_managers


class Checkpoints:
  """The `checkpoints/` folder of a run: its best and its latest checkpoint.

  A checkpoint has two items: `model` (parameters and statistics, all that
  evaluation needs) and `train` (the rest of the train state). Its folder gets
  the step number as its name once the checkpoint is complete, so a save that
  was killed leaves no checkpoint. The next training run removes what it left.

  As a context manager, it waits at the end for the save in progress.
  """

  def __init__(self, workdir: epath.Path, *, reads_only: bool = False):
    """Opens the folder of checkpoints.

    Args:
      workdir: the folder of the run; an absolute path, since Orbax saves in
        the background and fails there without a message on a relative one.
      reads_only: neither create the folder nor remove unfinished saves, which
        may belong to another process that is training.
    """
    self.folder = workdir / CHECKPOINTS
    if not reads_only:
      silence_save_errors()
    self._manager = ocp.CheckpointManager(
      self.folder,
      options=ocp.CheckpointManagerOptions(
        best_fn=_selection_score,
        best_mode='max',
        # Two policies: BestN alone would delete the latest checkpoint when it
        # is not the best, and a resumed run would repeat those steps.
        preservation_policy=_policies.AnyPreservationPolicy(
          [
            _policies.LatestN(1),
            _policies.BestN(
              get_metric_fn=_selection_score,
              n=1,
              # A checkpoint saved between evaluations, after a signal, is not
              # a candidate for the best.
              keep_checkpoints_without_metrics=False,
            ),
          ]
        ),
        cleanup_tmp_directories=not reads_only,
        create=not reads_only,
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
    # Closing waits too, and raises again what waiting has raised.
    for finish in (self.wait, self._close):
      try:
        finish()
      except Exception as failure:
        failures.append(failure)
    # The first one is the cause. The block's own is on its way already.
    if error is None and failures:
      raise failures[0]

  def latest_step(self) -> int | None:
    """Returns the highest step saved, or None."""
    return self._manager.latest_step()

  def best_step(self) -> int | None:
    """Returns the step with the highest selection score.

    If no checkpoint has a score, returns the latest step, or None.
    """
    best = self._manager.best_step()
    return self.latest_step() if best is None else best

  def preemption_check(self) -> Callable[[int], bool] | None:
    """Returns a function from a step to whether a pod must stop after it.

    All processes of a pod must stop after the same step, so they agree on it
    with each other. Returns None if there is only one process.
    """
    if jax.process_count() == 1:
      return None
    return self._manager.reached_preemption

  def latest_metrics(self) -> dict[str, Any] | None:
    """Returns the metrics of the latest checkpoint, and its `checkpoint_step`.

    Returns None if it was saved between evaluations, or if there is none.
    """
    step = self.latest_step()
    metrics = None if step is None else self._manager.metrics(step)
    if not metrics:
      return None
    return {'checkpoint_step': step, **with_current_names(metrics)}

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
    with self._report_full_disk():
      self._check_space(state)
      self._manager.save(
        step,
        metrics=metrics,
        args=ocp.args.Composite(
          model=ocp.args.StandardSave(_model_item(state)),
          train=ocp.args.StandardSave(_train_item(state)),
        ),
      )

  def wait(self) -> None:
    """Waits until the save in progress is complete.

    Raises:
      UserError: it could not be written.
    """
    with self._report_full_disk():
      self._manager.wait_until_finished()

  def restore(self, step: int, target: TrainState) -> TrainState:
    """Returns the state saved at `step`.

    Args:
      step: one of the steps saved.
      target: a state of the same shapes. Its leaves determine types and
        shardings; `abstract_state` makes one that needs no memory.
    """
    items = self._manager.restore(
      step,
      args=ocp.args.Composite(
        model=ocp.args.StandardRestore(_model_item(target)),
        train=ocp.args.StandardRestore(_train_item(target)),
      ),
    )
    model, rest = items['model'], items['train']
    return TrainState(
      step=rest['step'],
      params=model['params'],
      batch_stats=model['batch_stats'],
      opt_state=rest['opt_state'],
      method_state=rest['method'],
    )

  def restore_model(
    self, step: int, params: Params, batch_stats: BatchStats
  ) -> tuple[Params, BatchStats]:
    """Returns the parameters and statistics saved at `step`.

    Args:
      step: one of the steps saved.
      params: the parameters as `jax.ShapeDtypeStruct` leaves with the shardings
        wanted, for any number of devices, whichever devices the checkpoint
        was saved from.
      batch_stats: the statistics in the same form.
    """
    target = {'params': params, 'batch_stats': batch_stats}
    items = self._manager.restore(
      step, args=ocp.args.Composite(model=ocp.args.StandardRestore(target))
    )
    return items['model']['params'], items['model']['batch_stats']

  def _check_space(self, state: TrainState) -> None:
    """Raises `OSError` on every process if the state does not fit on disk."""
    # Orbax would notice a full disk in the background: late, and with the
    # tracebacks of several threads. `fallocate` fails at once.
    error_number = 0
    # The processes of a pod share one file system.
    if jax.process_index() == 0:
      probe = self.folder / '.space'
      size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
      try:
        with open(probe, 'wb') as file:
          os.posix_fallocate(file.fileno(), 0, size)
      except OSError as error:
        error_number = error.errno or errno.EIO
      finally:
        probe.unlink(missing_ok=True)
    # If process 0 stopped alone, the others would wait for it in Orbax.
    if error_number := from_first_process(error_number):
      raise OSError(error_number, os.strerror(error_number))

  def _close(self) -> None:
    with self._report_full_disk():
      self._manager.close()

  @contextlib.contextmanager
  def _report_full_disk(self) -> Iterator[None]:
    try:
      yield
    except Exception as error:
      reason = storage_reason(error)
      if reason is None:
        raise
      wait_for_other_writes()
      raise UserError(
        f'cannot write the checkpoint: {self.folder} ({reason}); free some '
        'space or choose another --workdir, then run the same command again '
        'to resume'
      ) from error


def read_network(path: epath.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """Reads a saved network of any shape.

  Args:
    path: a workdir, for its best checkpoint, or one checkpoint,
      `WORKDIR/checkpoints/STEP`.

  Returns:
    The parameters and the statistics, nested dicts of numpy arrays.

  Raises:
    UserError: there is no checkpoint.
  """
  if (path / CHECKPOINTS).is_dir():
    with Checkpoints(path, reads_only=True) as checkpoints:
      path = checkpoints.folder / str(checkpoints.best_step())
  if not (path / 'model').exists():
    raise UserError(
      f'no checkpoint: {path}; give the workdir of a run that has one (of a '
      f'staged run, the folder of a stage), or RUN/{CHECKPOINTS}/STEP'
    )
  item = epath.Path(absolute(path)) / 'model'
  with ocp.PyTreeCheckpointer() as checkpointer:
    tree = checkpointer.metadata(item).item_metadata.tree
    # As numpy: the devices it was saved from may not exist here.
    as_numpy = jax.tree.map(
      lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree
    )
    model = checkpointer.restore(
      item, args=ocp.args.PyTreeRestore(restore_args=as_numpy)
    )
  return model['params'], model['batch_stats']


def _selection_score(metrics: dict[str, Any]) -> float:
  return with_current_names(metrics)[SELECTION_SCORE]


def _model_item(state: TrainState) -> dict[str, Any]:
  return {'params': state.params, 'batch_stats': state.batch_stats}


def _train_item(state: TrainState) -> dict[str, Any]:
  # These keys are the format on disk; 'method' is older than `method_state`.
  return {
    'step': state.step,
    'opt_state': state.opt_state,
    'method': state.method_state,
  }
