"""Answers for a part of an attribution, in a worker of a runner."""

import functools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from input_pipeline.errors import UserError
from input_pipeline.processes import silence_decoders
from owdfa_jax.experiment import Experiment
from owdfa_jax.inference.made_by import answers_made_by
from owdfa_jax.inference.open_run import open_run
from owdfa_jax.inference.parts import (
  Row,
  read_task,
  write_answers,
  write_failure,
)
from owdfa_jax.inference.run import TrainedRun
from owdfa_jax.inference.unfinished import file_state
from owdfa_jax.training.recorded_config import USE_SETTINGS

# A runner may give a process several parts at once. They would only wait for
# the same devices, and a detector of faces serves one thread.
_LOCK = threading.Lock()
# The run that this process has loaded, by the task that named it.
_LOADED: dict[str, TrainedRun] = {}


def task_of(
  experiment: Experiment,
  made_by: Mapping[str, Any],
  options: Mapping[str, Any],
  frames: bool,
) -> dict[str, Any]:
  """Returns what workers have to know of a run, for JSON.

  Args:
    experiment: the run.
    made_by: see `answers_made_by`; a worker whose run differs refuses.
    options: those of `TrainedRun.stream`.
    frames: whether each frame of a video has a line.
  """
  return {
    'workdir': str(experiment.workdir),
    'settings': {
      name: functools.reduce(getattr, name.split('.'), experiment.config)
      for name in USE_SETTINGS
    },
    'made_by': dict(made_by),
    'options': dict(options),
    'frames': frames,
  }


def answer_part(part: str) -> None:
  """Writes the answers for the images of a part.

  The run is loaded once in each process. An error that the user can put right
  is written as the result: if it were raised, the runner would repeat the call.

  Args:
    part: its path, see `parts`.
  """
  silence_decoders()
  with _LOCK:
    try:
      task, images = read_task(part)
      rows = _rows(_run_of(task), task, images)
      write_answers(part, task['made_by'], rows)
    except UserError as error:
      write_failure(part, str(error))


def _rows(
  run: TrainedRun, task: Mapping[str, Any], images: Sequence[str]
) -> Iterator[Row]:
  # Before the images are read: one that changes later is read again.
  states = {path: file_state(path) for path in images}
  faces = task['options']['faces']
  for answer in run.stream(images, **task['options']):
    for line in answer.lines(frames=task['frames'], faces=faces):
      yield {
        **line.columns(),
        'side': line.side,
        'stat': states[line.image],
      }


def _run_of(task: Mapping[str, Any]) -> TrainedRun:
  """Returns the run of a task, loaded once.

  Raises:
    UserError: this worker does not see it, or sees another one.
  """
  key = json.dumps(task)
  if key not in _LOADED:
    _LOADED.clear()
    experiment = open_run(task['workdir'], settings=task['settings'])
    run = TrainedRun(experiment)
    options = {**task['options'], 'frames': task['frames']}
    found = json.loads(json.dumps(answers_made_by(run, experiment, options)))
    if found != task['made_by']:
      raise UserError(
        f'a worker has another run in {task["workdir"]}; give all machines the '
        'same files'
      )
    _LOADED[key] = run
  return _LOADED[key]
