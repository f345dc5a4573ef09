"""Checkpoints on disk. This is the only file that uses Orbax."""

import os
import types
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.files import absolute
from owdfa_jax.report_fields import SELECTION_SCORE
from owdfa_jax.training.run_record import CHECKPOINTS
from owdfa_jax.training.state import TrainState, abstract_tree

_policies = ocp.checkpoint_managers
# What older checkpoints call their selection score.
_OLD_SELECTION_SCORE = 'score'


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
      workdir: of the run; an absolute path, since Orbax saves in the
        background and fails there without a message on a relative one.
      reads_only: neither create the folder nor remove unfinished saves, which
        may belong to another process that is training.
    """
    self.folder = workdir / CHECKPOINTS
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
    try:
      self.wait()
    except UserError:
      # An error of the block itself matters more than that of the save.
      if error is None:
        raise
    finally:
      self._manager.close()

  def latest(self) -> int | None:
    """Returns the highest step saved, or None."""
    return self._manager.latest_step()

  def best(self) -> int | None:
    """Returns the step with the highest selection score.

    If no checkpoint has a score, returns the latest step, or None.
    """
    best = self._manager.best_step()
    return self.latest() if best is None else best

  def preemption_check(self) -> Callable[[int], bool] | None:
    """Returns what tells the processes of a pod to stop after a given step.

    All processes of a pod must stop after the same step, so they agree on it
    with each other. Returns None if there is only one process.
    """
    if jax.process_count() == 1:
      return None
    return self._manager.reached_preemption

  def last_metrics(self) -> dict[str, Any] | None:
    """Returns the metrics of the latest checkpoint, and its `checkpoint_step`.

    Returns None if it was saved between evaluations, or if there is none.
    """
    step = self.latest()
    metrics = None if step is None else self._manager.metrics(step)
    if not metrics:
      return None
    score = {SELECTION_SCORE: _selection_score(metrics)}
    rest = {k: v for k, v in metrics.items() if k != _OLD_SELECTION_SCORE}
    return {'checkpoint_step': step, **rest, **score}

  def save(
    self, step: int, state: TrainState, metrics: dict[str, Any] | None = None
  ) -> None:
    """Starts to save `state` in the background.

    Does nothing if `step` is saved already.

    Args:
      step: the number of steps taken.
      state: may be donated as soon as this method returns.
      metrics: of the evaluation at this step, with the `selection_score` that
        decides which checkpoint is the best; None between evaluations.

    Raises:
      UserError: this checkpoint or the one before it could not be written.
    """
    if self.latest() == step:
      return
    try:
      self._check_space(state)
      self._manager.save(
        step,
        metrics=metrics,
        args=ocp.args.Composite(
          model=ocp.args.StandardSave(_model_item(state)),
          train=ocp.args.StandardSave(_train_item(state)),
        ),
      )
    except (OSError, ValueError, RuntimeError) as error:
      raise self._cannot_write(error) from error

  def wait(self) -> None:
    """Waits until the save in progress is complete.

    Raises:
      UserError: it could not be written.
    """
    try:
      self._manager.wait_until_finished()
    except (OSError, ValueError, RuntimeError) as error:
      raise self._cannot_write(error) from error

  def restore(self, step: int, state: TrainState) -> TrainState:
    """Returns the state saved at `step`.

    Args:
      step: one of the steps saved.
      state: a state of the same shapes; it determines types and shardings, and
        is not changed.
    """
    items = self._manager.restore(
      step,
      args=ocp.args.Composite(
        model=ocp.args.StandardRestore(abstract_tree(_model_item(state))),
        train=ocp.args.StandardRestore(abstract_tree(_train_item(state))),
      ),
    )
    return TrainState(**items['model'], **items['train'])

  def restore_model(
    self, step: int, params: Any, batch_stats: Any
  ) -> tuple[Any, Any]:
    """Returns the parameters and statistics saved at `step`.

    Args:
      step: one of the steps saved.
      params: `jax.ShapeDtypeStruct` leaves with the shardings wanted, for any
        number of devices, whichever devices the checkpoint was saved from.
      batch_stats: the same for the statistics.
    """
    target = {'params': params, 'batch_stats': batch_stats}
    items = self._manager.restore(
      step, args=ocp.args.Composite(model=ocp.args.StandardRestore(target))
    )
    return items['model']['params'], items['model']['batch_stats']

  def _check_space(self, state: TrainState) -> None:
    # Orbax would notice a full disk in the background: late, and with the
    # tracebacks of several threads. `fallocate` fails at once.
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    probe = self.folder / f'.space-{jax.process_index()}'
    try:
      with open(probe, 'wb') as file:
        os.posix_fallocate(file.fileno(), 0, size)
    finally:
      probe.unlink(missing_ok=True)

  def _cannot_write(self, error: Exception) -> UserError:
    return UserError(
      f'cannot write the checkpoint: {self.folder} '
      f'({str(error).splitlines()[0][:200]}); free some space or choose '
      'another --workdir, then run the same command again to resume'
    )


def read_network(path: epath.Path) -> tuple[Any, Any]:
  """Reads a saved network of any shape.

  Args:
    path: a workdir, for its best checkpoint, or one checkpoint,
      `WORKDIR/checkpoints/STEP`.

  Returns:
    The parameters and the statistics, nested dicts of numpy arrays.

  Raises:
    UserError: there is no checkpoint.
  """
  if (path / CHECKPOINTS).exists():
    with Checkpoints(path, reads_only=True) as checkpoints:
      path = checkpoints.folder / str(checkpoints.best())
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
  if SELECTION_SCORE in metrics:
    return metrics[SELECTION_SCORE]
  return metrics[_OLD_SELECTION_SCORE]


def _model_item(state: TrainState) -> dict[str, Any]:
  return {'params': state.params, 'batch_stats': state.batch_stats}


def _train_item(state: TrainState) -> dict[str, Any]:
  return {
    'step': state.step,
    'opt_state': state.opt_state,
    'method': state.method,
  }
