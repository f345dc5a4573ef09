"""`owdfa_jax.load` before there is a run."""

import shutil
import subprocess
import sys

import pytest

import owdfa_jax
from helpers.runs import start_run
from input_pipeline.errors import UserError
from owdfa_jax.export import export_command


def test_there_is_no_run(tmp_path):
  with pytest.raises(UserError, match='no run: '):
    owdfa_jax.load(tmp_path / 'nowhere')


def test_a_run_by_an_earlier_version_asks_for_its_data(
  packed, tmp_path, capsys
):
  """In the words of Python, and in those of `owdfa export`."""
  run = tmp_path / 'run'
  start_run(packed, run)
  (run / 'data.json').unlink()
  shutil.rmtree(run / 'checkpoints')
  record = run / 'config.json'
  record.write_text(record.read_text().replace(str(packed), '/gone'))
  with pytest.raises(
    UserError, match='not there: /gone .*; give data=DIR, the'
  ):
    owdfa_jax.load(run)
  with pytest.raises(SystemExit):
    export_command.main([str(run), f'--out={tmp_path / "export"}'])
  assert '; give --data DIR, the packed' in capsys.readouterr().err
  # The data is there, and the next error is that of a run without a network.
  with pytest.raises(UserError, match='no checkpoint: .* train first'):
    owdfa_jax.load(run, data=packed)
  with pytest.raises(SystemExit):
    words = [str(run), f'--out={tmp_path / "export"}', f'--data={packed}']
    export_command.main(words)
  assert 'no checkpoint: ' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['mien', 'mine/', 'mine/note'])
def test_a_folder_that_is_none_of_a_run(tmp_path, name):
  (tmp_path / 'mine').mkdir()
  (tmp_path / 'mine' / 'note').write_text('')
  why = {
    'mien': 'does not exist; give the folder that a training wrote; did you '
    'mean mine',
    'mine/': 'has no config.json',
    'mine/note': 'is a file',
  }
  with pytest.raises(UserError, match=f'no run: .*{name} {why[name]}'):
    owdfa_jax.load(f'{tmp_path}/{name}')


def test_importing_the_package_loads_no_jax(tmp_path):
  code = (
    'import sys, owdfa_jax; owdfa_jax.load; '
    "assert not {'jax', 'numpy', 'absl'} & sys.modules.keys()"
  )
  subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'checkpoint': 77}, 'no such checkpoint: step 77'),
    ({'checkpoint': 'newest'}, "no such checkpoint: checkpoint=newest; use 'b"),
    ({'batch_size': 0}, '^out of range: batch_size=0; give'),
    ({'num_threads': 2.5}, '^wrong type: num_threads=2.5; give'),
  ],
)
def test_wrong_options_of_load(trained, options, message):
  with pytest.raises(UserError, match=message):
    owdfa_jax.load(trained.workdir, **options)
