"""Tests of the lines of the log, also after a resume, and the other writers."""

import json
import os
import resource
import sys
import types

import pytest
from etils import epath
from ml_collections import ConfigDict

from input_pipeline.errors import UserError
from owdfa_jax.training import writers as writers_lib
from owdfa_jax.training.writers import (
  JsonLines,
  TensorBoard,
  WeightsAndBiases,
  Writers,
  check_loggers,
)


@pytest.fixture
def path(tmp_path):
  return epath.Path(tmp_path) / 'metrics.jsonl'


def write(path, first_step, steps):
  writer = JsonLines(path, first_step)
  for step in steps:
    writer.write(step, {'loss': step / 10, 'novel_acc': None})
  writer.close()


def read(path):
  return [json.loads(line)['step'] for line in path.read_text().splitlines()]


def test_line_is_an_object_with_its_step(path):
  write(path, 0, [1])
  assert json.loads(path.read_text()) == {
    'step': 1,
    'loss': 0.1,
    'novel_acc': None,
  }


def test_resumed_run_replaces_the_later_lines(path):
  write(path, 0, [1, 2, 3, 4])
  write(path, 2, [3, 4, 5])
  assert read(path) == [1, 2, 3, 4, 5]


def test_line_cut_short_by_a_crash_is_removed(path):
  write(path, 0, [1, 2])
  path.write_text(path.read_text() + '{"step": 3, "lo')
  write(path, 2, [3])
  assert read(path) == [1, 2, 3]


def test_folder_in_the_place_of_the_log(path):
  path.mkdir()
  with pytest.raises(UserError, match='metrics.jsonl .Is a directory.*remove'):
    JsonLines(path, 0)


def strict(text):
  """Parses JSON; NaN and Infinity, which are none, raise."""

  def refuse(constant):
    raise ValueError(constant)

  return json.loads(text, parse_constant=refuse)


def test_number_that_is_not_finite_is_named_apart(path):
  writer = JsonLines(path, 0)
  values = {'loss': float('nan'), 'norm': float('-inf'), 'right': None}
  writer.write(3, values)
  writer.close()
  assert strict(path.read_text()) == {
    'step': 3,
    'right': None,
    'not_finite': {'loss': 'nan', 'norm': '-inf'},
  }


def test_damaged_lines_are_removed_and_counted(path, capsys):
  lines = [
    b'\x00\xff\xfe binary',
    b'{"step": 1, "loss": 2}',
    b'[1, 2]',
    b'7',
    b'{"loss": 1}',
    b'{"step": "2"}',
    b'{"step": 1.5}',
    b'{"step": true}',
    b'{"step": NaN}',
    b'{"step": 2, "x": [NaN]}',
    b'[' * 100_000,
    b'{"step": 2, "x": "' + b'y' * (3 << 20) + b'"}',
    b'{"step": ' + b'9' * 5000 + b'}',
    b'',
    b'{"step": 2, "loss": Infinity, "right": null}',
  ]
  path.write_bytes(b'\n'.join(lines) + b'\n{"step": 2, "lo')
  JsonLines(path, 2).close()
  kept = [strict(line) for line in path.read_text().splitlines()]
  assert kept == [
    {'step': 1, 'loss': 2},
    {'step': 2, 'right': None, 'not_finite': {'loss': 'inf'}},
  ]
  assert 'removed 13 damaged lines' in capsys.readouterr().out


def test_lines_with_numbers_that_are_not_finite_survive_a_resume(path):
  writer = JsonLines(path, 0)
  writer.write(1, {'loss': float('nan'), 'other': 0.1})
  writer.close()
  before = path.read_text()
  JsonLines(path, 1).close()
  assert path.read_text() == before


def test_named_pipe_in_the_place_of_the_log(path):
  os.mkfifo(path)
  with pytest.raises(UserError, match='metrics.jsonl .*named pipe.*remove'):
    JsonLines(path, 0)


def config(**log):
  return ConfigDict({'log': {'tensorboard': False, 'wandb': False} | log})


def test_tensorboard_events_are_written(tmp_path):
  with Writers(epath.Path(tmp_path), config(tensorboard=True), 0) as writers:
    writers.write(1, {'loss': 0.5, 'novel_acc': None})
  (events,) = (tmp_path / 'tensorboard').iterdir()
  assert b'loss' in events.read_bytes()
  assert b'novel_acc' not in events.read_bytes()


def test_file_in_the_place_of_the_tensorboard_folder(tmp_path):
  (tmp_path / 'tensorboard').write_text('in the way')
  with pytest.raises(UserError, match='/tensorboard .Not a directory.*remove'):
    Writers(epath.Path(tmp_path), config(tensorboard=True), 0)


def test_events_that_cannot_be_written_are_an_error(tmp_path, monkeypatch):
  monkeypatch.setattr(writers_lib, '_FLUSH_SECONDS', -1)
  writer = TensorBoard(epath.Path(tmp_path), 0)
  unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (100, unlimited[1]))
  try:
    with pytest.raises(UserError, match='TensorBoard.*File too large.*resume'):
      writer.write(1, dict.fromkeys('abcdefgh', 0.5))
    writer.close()
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)


def test_wandb_that_is_not_installed_is_an_error(path, monkeypatch):
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  with pytest.raises(UserError, match='pip install wandb'):
    check_loggers(config(wandb=True), path)
  check_loggers(config(), path)


def test_each_folder_has_its_own_wandb_run(tmp_path, monkeypatch):
  started = []
  wandb = types.SimpleNamespace(
    init=lambda **settings: started.append(settings)
  )
  monkeypatch.setitem(sys.modules, 'wandb', wandb)
  for folder in ('one/1-supervised', 'two/1-supervised', 'one/1-supervised'):
    WeightsAndBiases(epath.Path(tmp_path / folder), {})
  first, second, again = started
  assert first['id'] == again['id'] != second['id']
  assert first['name'] == 'one/1-supervised'
