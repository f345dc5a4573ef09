"""The config of a leaderboard in its workdir, so that the folder is enough."""

import json
import os
from collections.abc import Sequence
from typing import Any

import ml_collections

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import read_text, write_whole
from input_pipeline.storage import run_folder
from owdfa_jax.configs import leaderboard
from owdfa_jax.leaderboard.runs import Run

RECORD_FILE = 'leaderboard.json'
# The fields that make the table. Others say what one process trains.
_FIELDS = ('benchmark', 'seeds', 'rows', 'selection', 'metric', 'shared')


def write_board_record(
  folder: str | os.PathLike,
  config: ml_collections.ConfigDict,
  run: Run,
  command: str,
) -> None:
  """Writes the config of a leaderboard into its workdir.

  Args:
    folder: the workdir.
    config: the leaderboard's config.
    run: one of its runs; all have the same data.
    command: the command line, written below the table.

  Raises:
    UserError: the file cannot be written.
  """
  content: dict[str, Any] = {name: config.to_dict()[name] for name in _FIELDS}
  content['command'] = command
  path = run.config.data.path
  if '://' not in path:
    # A later command may start in another folder.
    content['shared'] = [
      *_without_path(config.shared),
      f'data.path={os.path.abspath(path)}',
    ]
  with write_whole(
    os.path.join(folder, RECORD_FILE), text=True, what='the leaderboard'
  ) as file:
    file.write(json.dumps(content, indent=2) + '\n')


def read_board_record(workdir: str) -> ml_collections.ConfigDict:
  """Returns the locked config of the leaderboard in a workdir.

  Args:
    workdir: the folder of its runs.

  Raises:
    UserError: it holds no leaderboard, or the file is damaged.
  """
  content, path = _read(workdir)
  try:
    config = leaderboard.get_config(content['benchmark'])
    with config.unlocked(), config.ignore_type():
      for name in _FIELDS:
        value = content[name]
        config[name] = tuple(value) if isinstance(value, list) else value
  except (ValueError, LookupError, TypeError) as error:
    raise _damaged(path, error) from error
  return config.lock()


def keep_shared(config: ml_collections.ConfigDict, workdir: str) -> None:
  """Adds the recorded settings of all rows to those that are given anew.

  Otherwise `--config.shared=data.path=DIR`, for data that was moved, would drop
  all others, such as the number of epochs.

  Args:
    config: the recorded config with the overrides of a command line; changed.
    workdir: the folder that it was read from.

  Raises:
    UserError: as `read_board_record`.
  """
  fields = {setting.partition('=')[0] for setting in config.shared}
  kept = [
    setting
    for setting in read_board_record(workdir).shared
    if setting.partition('=')[0] not in fields
  ]
  with config.unlocked():
    config.shared = (*kept, *config.shared)


def recorded_command(workdir: str) -> str:
  """Returns the command line that began the leaderboard in a workdir.

  Args:
    workdir: the folder of its runs.

  Raises:
    UserError: as `read_board_record`.
  """
  return str(_read(workdir)[0].get('command', ''))


def _read(workdir: str) -> tuple[dict[str, Any], str]:
  """Returns the content of the file, and its path."""
  path = os.path.join(run_folder(workdir), RECORD_FILE)
  try:
    content = strict_json.loads(read_text(path))
    if not isinstance(content, dict):
      raise ValueError('it is not an object')
  except FileNotFoundError as error:
    raise UserError(
      f'no leaderboard: --workdir={workdir} has no {RECORD_FILE}; give '
      '--config=leaderboard:BENCHMARK'
    ) from error
  except OSError as error:
    raise UserError(
      f'cannot read {path}: {error.strerror}; check its permissions'
    ) from error
  except ValueError as error:
    raise _damaged(path, error) from error
  return content, path


def _damaged(path: str, error: Exception) -> UserError:
  return UserError(
    f'damaged file: {path} ({error}); remove it and give --config'
  )


def _without_path(shared: Sequence[str]) -> list[str]:
  return [x for x in shared if not x.startswith('data.path=')]
