"""Writes a run's scalars: JSON lines always, TensorBoard and W&B if wanted."""

import contextlib
import hashlib
import importlib.util
import io
import math
import os
import socket
import time
from collections.abc import Iterator
from typing import Any, Protocol

import jax
from etils import epath
from ml_collections import ConfigDict
from typing_extensions import override

from input_pipeline.errors import UserError
from input_pipeline.files import open_regular, write_whole
from input_pipeline.object_store import is_remote
from owdfa_jax.training.metric_lines import (
  METRICS_FILE,
  encode_line,
  parse_lines,
)
from owdfa_jax.training.stored_log import StoredLog

_FLUSH_SECONDS = 30
_RESUME = 'free some space, then run the same command again to resume'


class Writer(Protocol):
  """Receives named scalars of a step."""

  def flush(self) -> None:
    """Writes what is buffered; comes before each checkpoint."""

  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    """Writes the scalars of `step`.

    Args:
      step: the number of steps taken.
      scalars: numbers by name. None means that one is not available; NaN and
        infinities are those of a step that diverged.
    """

  def close(self) -> None:
    """Writes what is buffered and releases resources."""


class JsonLines(Writer):
  """Writes `metrics.jsonl`, see `training.metric_lines`."""

  def __init__(self, path: epath.Path, first_step: int):
    """Opens `path`, and removes the lines that a resumed run writes again.

    Damaged lines are removed too, and counted in a message.

    Args:
      path: the file; created if it does not exist.
      first_step: the step to resume from; lines of later steps are removed.

    Raises:
      UserError: the file cannot be read or written.
    """
    self._path = path
    damaged = self._keep_lines(first_step)
    if damaged:
      print(f'removed {damaged} damaged lines from {path}')
    self._stored: StoredLog | None = None
    try:
      if is_remote(path):
        self._stored = StoredLog(path)
      self._file = open(self._stored.path if self._stored else path, 'a')
    except OSError as error:
      raise UserError(
        f'cannot write the metrics: {path} ({error.strerror}); make it '
        'writable, or choose another --workdir'
      ) from error

  def _keep_lines(self, first_step: int) -> int:
    """Writes the file anew; returns how many lines were damaged."""
    damaged = 0
    try:
      before = open_regular(self._path)
    except FileNotFoundError:
      before = io.BytesIO()
    except OSError as error:
      raise UserError(
        f'cannot read the metrics: {self._path} ({error.strerror}); remove it '
        'or choose another --workdir'
      ) from error
    with (
      before,
      write_whole(
        self._path, text=True, what='the metrics', remedy=_RESUME
      ) as file,
    ):
      for line in parse_lines(before):
        if line is None:
          damaged += 1
        elif line['step'] <= first_step:
          file.write(encode_line(line['step'], line))
    return damaged

  @override
  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    try:
      self._file.write(encode_line(step, scalars))
      # So that the line can be read, and survives a kill.
      self._file.flush()
      if self._stored:
        self._stored.upload_if_due()
    except OSError as error:
      raise self._refused(error) from error

  @override
  def flush(self) -> None:
    try:
      if self._stored:
        self._stored.upload()
    except OSError as error:
      raise self._refused(error) from error

  def _refused(self, error: OSError) -> UserError:
    return UserError(
      f'cannot write the metrics: {self._path} ({error.strerror}); {_RESUME}'
    )

  @override
  def close(self) -> None:
    # After a failed write, closing writes once more, and fails once more.
    with contextlib.suppress(OSError):
      self._file.close()
    if self._stored:
      with contextlib.suppress(OSError):
        self._stored.upload()
      self._stored.close()


class TensorBoard(Writer):
  """Writes TensorBoard events to the `tensorboard/` folder.

  `tensorboardX.SummaryWriter` would write in a thread. If the disk is full, the
  thread ends, and the training waits for it for ever.
  """

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
    from tensorboardX import record_writer, summary
    from tensorboardX.proto import event_pb2 as events
    from tensorboardX.proto import summary_pb2 as summaries

    self._folder, self._flushed = folder, 0.0
    # The types of messages are made when the modules are loaded.
    self._event: Any = events.Event  # pyrefly: ignore[missing-attribute]
    self._summary: Any = summaries.Summary  # pyrefly: ignore[missing-attribute]
    self._scalar = summary.scalar
    log: Any = events.SessionLog  # pyrefly: ignore[missing-attribute]
    # TensorBoard reads files of such a name.
    name = f'events.out.tfevents.{time.time():.0f}.{socket.gethostname()}'
    path, self._stored = os.fspath(folder / name), None
    try:
      if is_remote(folder):
        self._stored = StoredLog(path)
        path = self._stored.path
      elif not os.path.lexists(folder):
        os.makedirs(folder)
      self._file = record_writer.RecordWriter(path)
      self._write_event(0, file_version='brain.Event:2')
      self._write_event(first_step + 1, session_log=log(status=log.START))
    except OSError as error:
      raise UserError(
        f'cannot write the TensorBoard events: {folder} ({error.strerror}); '
        'remove it, choose another --workdir, or set '
        '--config.log.tensorboard=False'
      ) from error

  @override
  def write(self, step: int, scalars: dict[str, float | None]) -> None:
    values = [
      value
      for name, number in scalars.items()
      if number is not None and math.isfinite(number)
      for value in self._scalar(name, number).value
    ]
    with self._one_line():
      self._write_event(step, summary=self._summary(value=values))
      if self._stored:
        self._file.flush()
        self._stored.upload_if_due()

  @contextlib.contextmanager
  def _one_line(self) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise UserError(
        f'cannot write the TensorBoard events: {self._folder} '
        f'({error.strerror}); {_RESUME}'
      ) from error

  def _write_event(self, step: int, **content: Any) -> None:
    now = time.time()
    event = self._event(wall_time=now, step=step, **content)
    self._file.write(event.SerializeToString())
    # It waits for the disk, so not at each step.
    if now - self._flushed > _FLUSH_SECONDS:
      self._file.flush()
      self._flushed = now

  @override
  def flush(self) -> None:
    if self._stored:
      with self._one_line():
        self._file.flush()
        self._stored.upload()

  @override
  def close(self) -> None:
    with contextlib.suppress(OSError):
      self._file.close()
    if self._stored:
      with contextlib.suppress(OSError):
        self._stored.upload()
      self._stored.close()


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
  def flush(self) -> None:
    pass  # its own process sends what it gets

  @override
  def close(self) -> None:
    self._run.finish()


def check_loggers(config: ConfigDict, workdir: epath.Path) -> None:
  """Raises `UserError` if a log that is asked for cannot be written.

  Args:
    config: the config of the run.
    workdir: the folder of the run.
  """
  for setting in ('wandb', 'profile') if is_remote(workdir) else ():
    if config.log[setting]:
      raise UserError(
        f'it is written to local folders only: --config.log.{setting}='
        f'{config.log[setting]} with --workdir={workdir}; leave it out'
      )
  if config.log.wandb and not importlib.util.find_spec('wandb'):
    raise UserError(
      'Weights & Biases is not installed: --config.log.wandb=True; '
      'pip install wandb, or leave it False'
    )


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
      UserError: the log cannot be written.
    """
    self._writers: list[Writer] = []
    if jax.process_index() != 0:
      return
    try:
      self._writers.append(JsonLines(workdir / METRICS_FILE, first_step))
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
  def flush(self) -> None:
    for writer in self._writers:
      writer.flush()

  @override
  def close(self) -> None:
    for writer in self._writers:
      writer.close()
