"""Commands that take an evaluated run, given one at gs://."""

import json

import pytest
from etils import epath

from helpers.gcs_emulator import NEEDS_STORE, running_store
from helpers.page_runs import write_run
from owdfa_jax.commands import names
from owdfa_jax.page import report_command

pytestmark = NEEDS_STORE


@pytest.fixture(scope='module')
def store():
  with running_store() as emulator:
    yield emulator


@pytest.fixture
def run(store, tmp_path):
  """The URL of an evaluated run; a copy of it is in `tmp_path`."""
  write_run(tmp_path / 'run')
  url = f'{store.url}/{tmp_path.name}/run'
  for path in (tmp_path / 'run').rglob('*'):
    if path.is_file():
      name = path.relative_to(tmp_path / 'run')
      epath.Path(f'{url}/{name}').write_bytes(path.read_bytes())
  return url


def test_clusters_get_names(run, capsys):
  names.main([run, '3=StyleGAN2'])
  out = capsys.readouterr().out
  assert f'written: {run}/names.json; `owdfa report {run}`' in out
  given = json.loads(epath.Path(f'{run}/names.json').read_text())['names']
  assert given == {'novel-2': '', 'novel-3': 'StyleGAN2'}
  names.main([run])
  assert 'StyleGAN2' in capsys.readouterr().out


@pytest.mark.slow
def test_page_is_drawn_beside_the_run(run, store, tmp_path, capsys):
  report_command.main([run])
  assert f'written: {run}/report.html\n' in capsys.readouterr().out
  found = store.names(f'{tmp_path.name}/run/')
  assert f'{tmp_path.name}/run/page/confusion.svg' in found
  # Compared with a local run, elsewhere.
  out = tmp_path / 'two.html'
  report_command.main([run, str(tmp_path / 'run'), f'--out={out}'])
  assert f'written: {out}\n' in capsys.readouterr().out
  assert out.exists()


@pytest.mark.parametrize('command', [names, report_command])
def test_a_mistake_names_the_url(command, run, capsys):
  epath.Path(f'{run}/report.json').write_text('{')
  with pytest.raises(SystemExit) as ended:
    command.main([run])
  assert ended.value.code == 1
  assert f'damaged file: {run}/report.json' in capsys.readouterr().err
