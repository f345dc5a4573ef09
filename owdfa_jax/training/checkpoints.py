"""Checkpoints on disk. The only file that knows Orbax."""

import os
import types
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax.training.state import TrainState, abstract

_policies = ocp.checkpoint_managers
# The folder in a workdir that holds them.
CHECKPOINTS = 'checkpoints'


class Checkpoints:
  """The `checkpoints/` folder of a run: its best epoch and its latest step.

  A checkpoint holds two items: `model` (parameters and statistics, all that
  evaluation needs) and `train` (everything else). It appears under its step
  number only once it is complete; remains of interrupted saves are removed.

  Used as a context manager: leaving it waits for the save under way.
  """

  def __init__(self, workdir: epath.Path, *, reads_only: bool = False):
    """Opens the folder, making it where there is none.

    Args:
      workdir: of the run.
      reads_only: make nothing and clear nothing away: another process may be
        saving there.
    """
    self.folder = workdir / CHECKPOINTS
    self._manager = ocp.CheckpointManager(
      self.folder,
      options=ocp.CheckpointManagerOptions(
        best_fn=_score,
        best_mode='max',
        # "The best two" alone would delete the latest step, and with it the
        # point to resume from.
        preservation_policy=_policies.AnyPreservationPolicy(
          [
            _policies.LatestN(1),
            _policies.BestN(
              get_metric_fn=_score,
              n=1,
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
      if error is None:
        raise
    finally:
      self._manager.close()

  def latest(self) -> int | None:
    """The highest step saved, or None."""
    return self._manager.latest_step()

  def best(self) -> int | None:
    """The step of the highest score; the latest if none was scored."""
    best = self._manager.best_step()
    return self.latest() if best is None else best

  def preemption(self) -> Callable[[int], bool] | None:
    """On a pod: whether its processes have agreed to stop after a step."""
    if jax.process_count() == 1:
      return None
    return self._manager.reached_preemption

  def last_metrics(self) -> dict[str, Any] | None:
    """The metrics of the latest step, with it as `checkpoint_step`; None when
    that was saved between evaluations.
    """
    step = self.latest()
    metrics = None if step is None else self._manager.metrics(step)
    return metrics and {'checkpoint_step': step, **metrics}

  def save(
    self, step: int, state: TrainState, metrics: dict[str, Any] | None = None
  ) -> None:
    """Starts saving `state`; training may go on at once.

    Args:
      step: the number of steps taken; saving the same step twice does nothing.
      state: may be donated as soon as this returns.
      metrics: of the evaluation at this step, with the `score` that decides
        which checkpoint is best.

    Raises:
      UserError: this or the save before it could not be written.
    """
    if self.latest() == step:
      return
    try:
      self._reserve(state)
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
    """Returns when the save under way is complete."""
    try:
      self._manager.wait_until_finished()
    except (OSError, ValueError, RuntimeError) as error:
      raise self._cannot_write(error) from error

  def restore(self, step: int, state: TrainState) -> TrainState:
    """Returns the state saved at `step`.

    Args:
      step: one of those saved.
      state: of the same shapes; tells types and placement, is not changed.
    """
    items = self._manager.restore(
      step,
      args=ocp.args.Composite(
        model=ocp.args.StandardRestore(abstract(_model_item(state))),
        train=ocp.args.StandardRestore(abstract(_train_item(state))),
      ),
    )
    return TrainState(**items['model'], **items['train'])

  def restore_model(self, step: int, params: Any, batch_stats: Any) -> Any:
    """Returns the parameters and statistics saved at `step`, nothing else.

    Args:
      step: one of those saved.
      params: `jax.ShapeDtypeStruct` leaves with the shardings wanted: any
        number of devices, whatever it was saved from.
      batch_stats: likewise.
    """
    if step not in self._manager.all_steps():
      kept = ', '.join(map(str, sorted(self._manager.all_steps()))) or 'none'
      raise UserError(
        f'no such checkpoint: step {step} in {self.folder}; '
        f'there are: {kept} (--config.eval.checkpoint)'
      )
    target = {'params': params, 'batch_stats': batch_stats}
    items = self._manager.restore(
      step, args=ocp.args.Composite(model=ocp.args.StandardRestore(target))
    )
    return items['model']['params'], items['model']['batch_stats']

  def _reserve(self, state: TrainState) -> None:
    """`OSError` where the disk has no room for a checkpoint of `state`.

    Asked beforehand: a full disk found out in the background takes its time
    and a page of other threads' tracebacks.
    """
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    probe = self.folder / f'.space-{jax.process_index()}'
    try:
      with open(probe, 'wb') as file:
        os.posix_fallocate(file.fileno(), 0, size)
    finally:
      probe.unlink(missing_ok=True)

  def _cannot_write(self, error: Exception) -> UserError:
    return UserError(
      f'the checkpoint could not be written: {self.folder} '
      f'({str(error).splitlines()[0][:200]}); free some space or choose '
      'another --workdir, then run the same command again to resume'
    )


def has_checkpoint(workdir: epath.Path) -> bool:
  """Whether a run has saved anything there; being begun is not enough."""
  folder = workdir / CHECKPOINTS
  return folder.exists() and any(x.name.isdecimal() for x in folder.iterdir())


def read_network(path: epath.Path) -> tuple[Any, Any]:
  """Reads a saved network as it is, whatever its shapes.

  Args:
    path: a workdir, for its best checkpoint, or one checkpoint in it.

  Returns:
    Its parameters and statistics, nested dicts of arrays.

  Raises:
    UserError: there is none.
  """
  if (path / CHECKPOINTS).exists():
    with Checkpoints(path, reads_only=True) as checkpoints:
      path = checkpoints.folder / str(checkpoints.best())
  if not (path / 'model').exists():
    raise UserError(
      f'no checkpoint: {path}; give the workdir of a run that has one (of a '
      f'run in stages, the folder of a stage), or RUN/{CHECKPOINTS}/STEP'
    )
  item = epath.Path(os.path.abspath(path)) / 'model'
  with ocp.PyTreeCheckpointer() as checkpointer:
    tree = checkpointer.metadata(item).item_metadata.tree
    # As numpy: the devices that saved it may be others than are here.
    as_numpy = jax.tree.map(
      lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree
    )
    model = checkpointer.restore(
      item, args=ocp.args.PyTreeRestore(restore_args=as_numpy)
    )
  return model['params'], model['batch_stats']


def _score(metrics: dict[str, Any]) -> float:
  return metrics['score']


def _model_item(state: TrainState) -> dict[str, Any]:
  return {'params': state.params, 'batch_stats': state.batch_stats}


def _train_item(state: TrainState) -> dict[str, Any]:
  return {
    'step': state.step,
    'opt_state': state.opt_state,
    'method': state.method,
  }
