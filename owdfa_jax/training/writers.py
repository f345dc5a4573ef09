"""Scalars of a run: JSON lines always; TensorBoard and W&B where wanted."""

import hashlib
import importlib.util
import json
import os
from typing import Any, Protocol

import jax
import tensorboardX
from etils import epath
from ml_collections import ConfigDict

from input_pipeline.errors import UserError


class Writer(Protocol):
  """Something that takes named scalars of a step."""

  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    """Records `scalars`, those of `step`; None means not available."""

  def close(self) -> None:
    """Flushes and lets go."""


class JsonLines:
  """One JSON object a line in `metrics.jsonl`: `step`, then the scalars."""

  def __init__(self, path: epath.Path, first_step: int):
    """Opens `path`, dropping what a resumed run will write again.

    Args:
      path: of the file; made where there is none.
      first_step: lines of later steps than this are dropped.
    """
    kept = []
    if path.exists():
      lines = path.read_text().splitlines()
      kept = [line for line in lines if _step(line) <= first_step]
    partial = path.with_name(path.name + '.partial')
    partial.write_text(''.join(line + '\n' for line in kept))
    os.replace(partial, path)
    self._path = path
    self._file = open(path, 'a')

  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    """Appends one line."""
    try:
      self._file.write(json.dumps({'step': step, **scalars}) + '\n')
      self._file.flush()
    except OSError as error:
      raise UserError(
        f'metrics could not be written: {self._path} ({error.strerror}); '
        'free some space, then run the same command again to resume'
      ) from error

  def close(self) -> None:
    """Closes the file."""
    self._file.close()


class TensorBoard:
  """TensorBoard events in the `tensorboard/` folder, through tensorboardX."""

  def __init__(self, folder: epath.Path, first_step: int):
    """Opens a new event file; TensorBoard drops later steps of older ones."""
    self._writer = tensorboardX.SummaryWriter(
      os.fspath(folder), purge_step=first_step + 1
    )

  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    """Adds one point to each curve."""
    for name, value in scalars.items():
      if value is not None:
        self._writer.add_scalar(name, value, step)

  def close(self) -> None:
    """Flushes and closes the event file."""
    self._writer.close()


class WeightsAndBiases:
  """A Weights & Biases run, in `wandb/`; offline unless WANDB_MODE is set."""

  def __init__(self, folder: epath.Path, config: dict[str, Any]):
    """Starts the run, or continues that of the same folder.

    Folders of stages and leaderboards share their last name, hence the two.
    """
    import wandb  # pyrefly: ignore[missing-import]

    os.environ.setdefault('WANDB_MODE', 'offline')
    self._run = wandb.init(
      dir=os.fspath(folder),
      name=f'{folder.parent.name}/{folder.name}',
      id=hashlib.sha256(os.fspath(folder).encode()).hexdigest()[:16],
      resume='allow',
      config=config,
    )

  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    """Logs one step."""
    present = {k: v for k, v in scalars.items() if v is not None}
    self._run.log(present, step=step)

  def close(self) -> None:
    """Finishes the run."""
    self._run.finish()


class Writers:
  """All the writers a config asks for; a context manager."""

  def __init__(
    self,
    workdir: epath.Path,
    config: ConfigDict,
    first_step: int,
  ) -> None:
    """Opens them; only the main process of a pod writes anything.

    Raises:
      UserError: W&B is asked for and not installed.
    """
    self._writers: list[Writer] = []
    if jax.process_index() != 0:
      return
    if config.log.wandb and not importlib.util.find_spec('wandb'):
      raise UserError(
        'Weights & Biases is not installed: --config.log.wandb=True; '
        'pip install wandb, or leave it False'
      )
    self._writers.append(JsonLines(workdir / 'metrics.jsonl', first_step))
    if config.log.tensorboard:
      self._writers.append(TensorBoard(workdir / 'tensorboard', first_step))
    if config.log.wandb:
      self._writers.append(WeightsAndBiases(workdir, config.to_dict()))

  def __enter__(self) -> 'Writers':
    return self

  def __exit__(self, *exception: object) -> None:
    for writer in self._writers:
      writer.close()

  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    """Hands `scalars` of `step` to every writer."""
    for writer in self._writers:
      writer.write(step, scalars)


def _step(line: str) -> float:
  """The step of a line; infinite for one that a crash cut short."""
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError, TypeError):
    return float('inf')
