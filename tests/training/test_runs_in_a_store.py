"""Runs at gs://, in a store on this machine."""

import json

import pytest
from etils import epath
from ml_collections import ConfigDict

from helpers.gcs_emulator import NEEDS_STORE, running_store
from input_pipeline.errors import UserError
from owdfa_jax import settings
from owdfa_jax.evaluation import overview
from owdfa_jax.export import export_command
from owdfa_jax.soak.differences import first_difference
from owdfa_jax.training import (
  manifest,
  saved_steps,
  verification,
  workdir_lock,
  writers,
)

pytestmark = NEEDS_STORE
TINY = (
  '--config=configs/cpl.py:folder64',
  '--config.model.width=0.125',
  '--config.batch_size=16',
  '--config.eval.batch_size=16',
  '--config.epochs=3',
  '--config.passes_per_epoch=1',
  '--config.log.tensorboard=False',
  '--config.log.page=False',
)
# Steps of an epoch of the packed data of the tests.
EPOCH = 6


@pytest.fixture(scope='module')
def store():
  with running_store() as emulator:
    yield emulator


@pytest.fixture
def run(store, request):
  """A folder for a run that no other test uses."""
  return epath.Path(f'{store.url}/{request.node.name}')


def checkpoint(run, step, *, marked=True):
  """Writes a checkpoint without arrays."""
  folder = run / 'checkpoints' / str(step)
  (folder / 'model' / 'a').write_text('some bytes')
  (folder / 'metrics' / 'metrics').write_text('{"selection_score": 1.0}')
  manifest.write_manifest(folder, step)
  if marked:
    manifest.write_mark(folder)
  return folder


def test_a_checkpoint_counts_once_it_is_marked(run):
  assert saved_steps.step_folders(run) == []
  checkpoint(run, 5)
  unfinished = checkpoint(run, 7, marked=False)
  assert saved_steps.step_folders(run) == saved_steps.saved_steps(run) == [5]
  assert saved_steps.read_scores(run).best_step() == 5
  manifest.write_mark(unfinished)
  assert saved_steps.step_folders(run) == [5, 7]
  assert saved_steps.read_scores(run).best_step() == 7


def test_damage_is_found(store, run):
  folder = checkpoint(run, 5)
  assert not manifest.find_damage(folder)
  name = f'{run.name}/checkpoints/5/model/a'
  content = store.read(name)
  store.write(name, b'same bytes')
  assert manifest.find_damage(folder) == (
    f'{folder}/model/a (changed since it was saved)'
  )
  store.remove(name)
  assert manifest.find_damage(folder) == f'{folder}/model/a (missing)'
  store_name = f'{run.name}/checkpoints/5/model/b'
  (folder / 'model' / 'a').write_bytes(content)
  (folder / 'model' / 'b').write_text('foreign')
  assert store.read(store_name) == b'foreign'
  assert 'b (not part of the checkpoint)' in manifest.find_damage(folder)


def test_a_copy_is_a_checkpoint_too(store, run, tmp_path):
  checkpoint(run, 5)
  store.copy(run.name, tmp_path)
  assert saved_steps.saved_steps(epath.Path(tmp_path)) == [5]
  assert not manifest.find_damage(tmp_path / 'checkpoints' / '5')


def test_a_damaged_checkpoint_is_put_aside(store, run):
  checkpoint(run, 5)
  checkpoint(run, 7)
  store.write(f'{run.name}/checkpoints/7/model/a', b'other')
  with pytest.raises(UserError, match='7/model/a .5 bytes.*sound steps: 5;'):
    verification.verify_all(run, 'stop')
  verification.verify_all(run, 'fall_back')
  assert saved_steps.step_folders(run) == [5]
  assert f'{run.name}/checkpoints/7.damaged/model/a' in store.names(run.name)


def test_weights_of_a_run(run):
  folder = checkpoint(run, 5)
  for path in (run, folder):
    assert settings.find_initial_weights(str(path)) == path
  with pytest.raises(UserError, match='only a run at gs:// can'):
    settings.find_initial_weights(f'{folder}/manifest.json')


def lines(store, run):
  text = store.read(f'{run.name}/metrics.jsonl').decode()
  return [json.loads(line)['step'] for line in text.splitlines()]


def test_a_log_is_uploaded_whole(store, run):
  log = ConfigDict({'log': {'tensorboard': True, 'wandb': False}})
  with writers.Writers(run, log, 0) as first:
    for step in (1, 2, 3):
      first.write(step, {'loss': 1.0})
    first.flush()
    assert lines(store, run) == [1, 2, 3]
    first.write(4, {'loss': 1.0})
    assert lines(store, run) == [1, 2, 3]
  assert lines(store, run) == [1, 2, 3, 4]
  with writers.Writers(run, log, 2) as resumed:
    resumed.write(3, {'loss': 2.0})
  assert lines(store, run) == [1, 2, 3]
  events = store.names(f'{run.name}/tensorboard/')
  assert b'loss' in store.read(events[0])


@pytest.mark.parametrize('setting', ['wandb', 'profile'])
def test_logs_that_need_a_local_folder_are_refused(run, setting):
  log = {'wandb': False, 'profile': 0} | {setting: 1}
  with pytest.raises(UserError, match=f'local folders only: .*log.{setting}='):
    writers.check_loggers(ConfigDict({'log': log}), run)


def test_there_is_no_lock(store, run, capsys):
  with workdir_lock.lock_workdir(run):
    assert capsys.readouterr().out.startswith(f'no lock: {run} is in a store')
  assert not store.names(run.name)


@pytest.mark.slow
def test_trained_killed_resumed_evaluated_and_used(store, packed, tmp_path):
  """Data and run at gs://: the run is bit for bit that of a local folder."""
  # The machine's copy of the data, and compiled programs.
  store.environment['OWDFA_CACHE'] = str(tmp_path / 'cache')
  for path in packed.iterdir():
    epath.Path(f'{store.url}/packed/{path.name}').write_bytes(path.read_bytes())
  here, there = tmp_path / 'run', f'{store.url}/run'
  with_data = (*TINY, f'--config.data.path={store.url}/packed')
  local = store.run(*with_data, f'--workdir={here}')
  assert local.returncode == 0, local.stderr
  train = (*with_data, f'--workdir={there}')
  # While arrays are written, before the manifest, before the mark.
  for victim in (
    f'checkpoints/{EPOCH}/train/manifest.ocdbt',
    f'checkpoints/{2 * EPOCH}/manifest.json',
    f'checkpoints/{2 * EPOCH}/commit_success.txt',
  ):
    killed = store.run(*train, killed_before=victim)
    assert killed.returncode == -9, killed.stderr
  done = store.run(*train)
  assert done.returncode == 0, done.stderr
  assert 'resuming after step 6' in done.stdout
  assert 'no lock: ' in done.stdout
  check_same(store, here, tmp_path / 'copy')
  answer = store.run(
    '--mode=eval', '--config.log.page=False', f'--workdir={there}'
  )
  assert answer.returncode == 0, answer.stderr
  check_same(store, here, tmp_path / 'evaluated')
  overview.main([f'--workdir={there}', f'--out={tmp_path / "overview.png"}'])
  out = tmp_path / 'export'
  export_command.main([there, f'--out={out}', '--platforms=cpu'])
  assert (out / 'export.json').exists()
  images = packed.parent / 'images'
  for place in (here, there):
    used = store.run(
      '--mode=attribute', f'--images={images}', f'--workdir={place}'
    )
    assert used.returncode == 0, used.stderr
  table = (here / 'new_attributions.csv').read_bytes()
  assert store.read('run/new_attributions.csv') == table


def check_same(store, here, copy):
  store.copy('run', copy)
  assert not first_difference(str(here), str(copy))
