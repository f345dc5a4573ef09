"""Which file --config means."""

import pytest

from helpers.paths import ROOT
from owdfa_jax.commands.config_files import find_config, shipped_configs


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
