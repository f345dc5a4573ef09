"""Tests of the lines of the log, also after a resume, and the other writers."""

import json
import sys
import types

import pytest
from etils import epath
from ml_collections import ConfigDict

from input_pipeline.errors import UserError
from owdfa_jax.training.writers import JsonLines, WeightsAndBiases, Writers


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


def test_wandb_that_is_not_installed_is_an_error(tmp_path, monkeypatch):
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  with pytest.raises(UserError, match='pip install wandb'):
    Writers(epath.Path(tmp_path), config(wandb=True), 0)


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
