"""Which file --config means, and how its mistakes are shown."""

import re

import pytest

from helpers.paths import ROOT
from input_pipeline.errors import UserError
from owdfa_jax.commands.config_files import (
  find_config,
  load_config,
  shipped_configs,
)


def test_shipped_configs():
  shipped = shipped_configs()
  assert {'cal', 'cpl', 'staged', 'leaderboard', 'upper_bound'} <= {*shipped}
  assert not {'benchmarks', 'default', '__init__'} & {*shipped}


@pytest.mark.parametrize('name', ['cpl', 'cpl.py', 'configs/cpl.py'])
@pytest.mark.parametrize('argument', ['', ':owdfa1', ':a:b'])
def test_names_of_a_shipped_config(tmp_path, monkeypatch, name, argument):
  monkeypatch.chdir(tmp_path)
  path = str(ROOT / 'owdfa_jax' / 'configs' / 'cpl.py')
  assert find_config(name + argument) == path + argument


@pytest.mark.parametrize('name', ['cpl.py', 'configs/cpl.py', 'cpl'])
def test_a_file_that_exists_comes_first(tmp_path, monkeypatch, name):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'configs').mkdir()
  (tmp_path / name).write_text('')
  assert find_config(f'{name}:mine') == f'{name}:mine'


def test_a_folder_is_no_config(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'cpl').mkdir()
  assert find_config('cpl').endswith('configs/cpl.py')


@pytest.mark.parametrize(
  'name', ['nowhere.py', 'benchmarks', 'other/cpl.py', '../cpl', 'nowhere:a']
)
def test_anything_else_stays(tmp_path, monkeypatch, name):
  monkeypatch.chdir(tmp_path)
  assert find_config(name) == name


def load_text(folder, text):
  (folder / 'mine.py').write_text(text)
  return load_config('mine.py')


HEAD = 'import ml_collections\ndef get_config():\n'
SHIPPED = (
  'from owdfa_jax.configs import cpl\n'
  'def get_config():\n  c = cpl.get_config("folder64")\n'
)


@pytest.mark.parametrize(
  'text, message',
  [
    (
      f'{HEAD}  return open("missing.json")\n',
      "FileNotFoundError: [Errno 2] No such file or directory: 'missing.json' "
      '(line 3 of mine.py)',
    ),
    (
      f'{SHIPPED}  c.lock()\n  c.model.depth = 3\n',
      'AttributeError: .*line 5 ',
    ),
    (
      f'{SHIPPED}  return c.method.params.nope\n',
      'AttributeError: .*nope.*4 o',
    ),
    (f'{SHIPPED}  return c.model["zz"]\n', 'KeyError: .*zz.*(line 4 of mine'),
    (
      f'{HEAD}  return 1 + ""\n',
      'TypeError: unsupported .*(line 3 of mine.py)',
    ),
    (f'{HEAD}  return int("")\n', 'ValueError: invalid .*(line 3 of mine.py)'),
    ('import sys\nsys.exit(0)\n', 'SystemExit: 0 (line 2 of mine.py)'),
    (f'{HEAD}  raise SystemExit\n', 'SystemExit (line 3 of mine.py)'),
    (f'{HEAD}  get_config()\n', 'RecursionError: .*(line 3 of mine.py)'),
    ('a = "\0"\n', 'SyntaxError: .*null bytes'),
    ('a = 1\nimport nowhere\n', 'ModuleNotFoundError: .*(line 2 of mine.py)'),
    ('a = 1\ndef 2\n', 'SyntaxError: invalid syntax (line 2 of mine.py)'),
    (
      'def get_config(a, b):\n  pass\n',
      'TypeError: get_config() missing 2 required .*',
    ),
  ],
)
def test_a_config_file_that_fails(tmp_path, monkeypatch, text, message):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError) as caught:
    load_text(tmp_path, text)
  pattern = re.escape(message).replace(r'\.\*', '.*')
  assert re.match(
    f'the config file mine.py failed: {pattern}',
    ' '.join(str(caught.value).split()),
  )
  assert str(caught.value).endswith('; correct it')


@pytest.mark.parametrize(
  'text, message',
  [
    ('', 'mine.py has no get_config(...); define it'),
    ('get_config = 3\n', 'mine.py has no get_config(...); define it'),
    (f'{HEAD}  return {{}}\n', 'returned a dict, not a ml_collections.Config'),
    (f'{HEAD}  pass\n', 'returned None, not a ml_collections.ConfigDict'),
  ],
)
def test_a_file_without_a_config(tmp_path, monkeypatch, text, message):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError, match=re.escape(message)):
    load_text(tmp_path, text)


def test_an_empty_file_of_the_name_of_a_shipped_config(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'cpl').touch()
  with pytest.raises(UserError, match='the config file cpl has no get_config'):
    load_config('cpl:folder64')


def test_a_wrong_setting_keeps_its_message():
  with pytest.raises(UserError, match='^unknown value: .*owdfa9; use one of'):
    load_config('cpl:owdfa9')


def test_no_such_file(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError, match='no such config file: nowhere'):
    load_config('nowhere:folder64')


def test_the_config_is_locked(tmp_path):
  (tmp_path / 'mine').write_text(
    'import ml_collections\n'
    'def get_config(a):\n  return ml_collections.ConfigDict({"a": a})\n'
  )
  config = load_config(f'{tmp_path}/mine:b:c')
  assert config.a == 'b:c'
  with pytest.raises(AttributeError):
    config.z = 1
