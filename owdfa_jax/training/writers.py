"""Writes a run's scalars: JSON lines always, TensorBoard and W&B if wanted."""

import hashlib
import importlib.util
import json
import os
from typing import Any, Protocol

import jax
from etils import epath
from ml_collections import ConfigDict
from typing_extensions import override

from input_pipeline.errors import UserError
from input_pipeline.files import write_whole

_RESUME = 'free some space, then run the same command again to resume'


class Writer(Protocol):
  """Receives named scalars of a step."""

  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    """Writes the scalars of `step`; None means that one is not available."""

  def close(self) -> None:
    """Writes what is buffered and releases resources."""


class JsonLines(Writer):
  """Writes `metrics.jsonl`: one JSON object per line, `step` and scalars."""

  def __init__(self, path: epath.Path, first_step: int):
    """Opens `path`, and removes the lines that a resumed run writes again.

    Args:
      path: the file; created if it does not exist.
      first_step: the step to resume from; lines of later steps are removed.

    Raises:
      UserError: the file cannot be read or written.
    """
    self._path = path
    try:
      lines = path.read_text().splitlines() if path.exists() else []
    except OSError as error:
      raise UserError(
        f'cannot read the metrics: {path} ({error.strerror}); remove it or '
        'choose another --workdir'
      ) from error
    kept = [line for line in lines if _step_of(line) <= first_step]
    with write_whole(
      path, text=True, what='the metrics', remedy=_RESUME
    ) as file:
      file.writelines(line + '\n' for line in kept)
    self._file = open(path, 'a')

  @override
  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    try:
      self._file.write(json.dumps({'step': step, **scalars}) + '\n')
      # So that the line can be read, and survives a kill.
      self._file.flush()
    except OSError as error:
      raise UserError(
        f'cannot write the metrics: {self._path} ({error.strerror}); {_RESUME}'
      ) from error

  @override
  def close(self) -> None:
    self._file.close()


class TensorBoard(Writer):
  """Writes TensorBoard events to the `tensorboard/` folder."""

  def __init__(self, folder: epath.Path, first_step: int):
    """Opens a new event file.

    Args:
      folder: the folder of the event files.
      first_step: the step to resume from; TensorBoard ignores later steps in
        the older event files.

    Raises:
      UserError: no event file can be written.
    """
    # Imported here, because runs without TensorBoard do not need it.
    import tensorboardX

    try:
      self._writer = tensorboardX.SummaryWriter(
        os.fspath(folder), purge_step=first_step + 1
      )
    except OSError as error:
      raise UserError(
        f'cannot write the TensorBoard events: {folder} ({error.strerror}); '
        'remove it, choose another --workdir, or set '
        '--config.log.tensorboard=False'
      ) from error

  @override
  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    for name, value in scalars.items():
      if value is not None:
        self._writer.add_scalar(name, value, step)

  @override
  def close(self) -> None:
    self._writer.close()


class WeightsAndBiases(Writer):
  """Logs to a Weights & Biases run, offline unless WANDB_MODE is set."""

  def __init__(self, folder: epath.Path, config: dict[str, Any]):
    """Starts a run, or continues the run of the same folder.

    Args:
      folder: the workdir; gets a `wandb/` folder. Its path identifies the run.
      config: settings to show with the run.
    """
    # Imported here, because it is optional.
    import wandb  # pyrefly: ignore[missing-import]

    os.environ.setdefault('WANDB_MODE', 'offline')
    self._run = wandb.init(
      dir=os.fspath(folder),
      # Stages and leaderboards name their folders alike, so the name has two.
      name=f'{folder.parent.name}/{folder.name}',
      id=hashlib.sha256(os.fspath(folder).encode()).hexdigest()[:16],
      resume='allow',
      config=config,
    )

  @override
  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    present = {k: v for k, v in scalars.items() if v is not None}
    self._run.log(present, step=step)

  @override
  def close(self) -> None:
    self._run.finish()


class Writers(Writer):
  """All writers that a config asks for.

  Only the first process of a pod writes. As a context manager, it closes the
  writers at the end.
  """

  def __init__(
    self, workdir: epath.Path, config: ConfigDict, first_step: int
  ) -> None:
    """Opens the writers.

    Args:
      workdir: the folder of the run.
      config: the config of the run; `log` selects the writers.
      first_step: the step to resume from, 0 for a new run.

    Raises:
      UserError: W&B is asked for and not installed, or the log cannot be
        written.
    """
    self._writers: list[Writer] = []
    if jax.process_index() != 0:
      return
    if config.log.wandb and not importlib.util.find_spec('wandb'):
      raise UserError(
        'Weights & Biases is not installed: --config.log.wandb=True; '
        'pip install wandb, or leave it False'
      )
    try:
      self._writers.append(JsonLines(workdir / 'metrics.jsonl', first_step))
      if config.log.tensorboard:
        self._writers.append(TensorBoard(workdir / 'tensorboard', first_step))
      if config.log.wandb:
        self._writers.append(WeightsAndBiases(workdir, config.to_dict()))
    except BaseException:
      # Without this, the writers opened before the one that fails stay open.
      self.close()
      raise

  def __enter__(self) -> 'Writers':
    return self

  def __exit__(self, *exception: object) -> None:
    self.close()

  @override
  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    for writer in self._writers:
      writer.write(step, scalars)

  @override
  def close(self) -> None:
    for writer in self._writers:
      writer.close()


def _step_of(line: str) -> float:
  # Infinite for a line that a crash cut short, so that it is removed.
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError, TypeError):
    return float('inf')
