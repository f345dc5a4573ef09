"""Tests that a damaged checkpoint is named and never restored."""

import json
import os
import pathlib
import random
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.training.checkpoints import (
  Checkpoints,
  read_network,
  restore_model,
)
from owdfa_jax.training.manifest import find_damage
from owdfa_jax.training.saved_steps import saved_steps
from owdfa_jax.training.state import TrainState
from owdfa_jax.training.verification import (
  choose_checkpoint,
  verify_all,
  verify_checkpoint,
)


def make_state(value):
  state = TrainState(
    step=jnp.int32(value),
    params={'w': jnp.full((4, 3), value, jnp.float32)},
    batch_stats={'mean': jnp.full(3, -value, jnp.float32)},
    opt_state=({'m': jnp.full((4, 3), 2 * value, jnp.float32)}, ()),
    method_state={},
  )
  return jax.device_put(state, parallel.make_placement().replicated)


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  """A workdir with the checkpoints of steps 2, the best, and 4, the latest."""
  workdir = tmp_path_factory.mktemp('saved')
  with Checkpoints(epath.Path(workdir)) as checkpoints:
    for step, score in ((2, 0.5), (4, 0.3)):
      checkpoints.save(step, make_state(step), {'selection_score': score})
  return workdir


@pytest.fixture
def run(saved, tmp_path):
  """A copy of the workdir to damage."""
  return epath.Path(shutil.copytree(saved, tmp_path / 'run'))


def files_of(folder):
  return sorted(p for p in pathlib.Path(folder).rglob('*') if p.is_file())


def flip(path, position):
  content = bytearray(path.read_bytes())
  content[position] ^= 1 << (position % 8)
  path.write_bytes(content)


def test_sound_checkpoint_has_a_manifest_of_all_files(saved):
  folder = saved / 'checkpoints' / '4'
  manifest = json.loads((folder / 'manifest.json').read_text())
  assert manifest['step'] == 4
  assert set(manifest['files']) == {
    str(path.relative_to(folder)) for path in files_of(folder)
  } - {'manifest.json'}
  assert find_damage(folder) == ''


def test_every_flipped_byte_is_noticed(run):
  folder = run / 'checkpoints' / '4'
  chosen = random.Random(0)
  for path in files_of(folder):
    before = path.read_bytes()
    positions = {0, len(before) - 1}
    positions |= {chosen.randrange(len(before)) for _ in range(8)}
    for position in positions:
      flip(path, position)
      assert str(path) in find_damage(folder), (path, position)
      path.write_bytes(before)
  assert find_damage(folder) == ''


@pytest.mark.parametrize(
  'change',
  [
    lambda path: path.unlink(),
    lambda path: path.write_bytes(b''),
    lambda path: os.truncate(path, path.stat().st_size - 1),
    lambda path: path.write_bytes(path.read_bytes() + b'\0'),
    lambda path: path.write_bytes(bytes(path.stat().st_size)),
    lambda path: (path.unlink(), path.mkdir()),
    lambda path: (path.unlink(), os.mkfifo(path)),
  ],
  ids=['missing', 'empty', 'shorter', 'longer', 'zeros', 'folder', 'pipe'],
)
def test_every_changed_file_is_noticed(saved, tmp_path, change):
  for number, _ in enumerate(files_of(saved / 'checkpoints' / '4')):
    folder = shutil.copytree(saved / 'checkpoints' / '4', tmp_path / '4')
    path = files_of(folder)[number]
    change(path)
    assert str(path) in find_damage(folder) or (
      path.name == 'manifest.json' and 'no manifest.json' in find_damage(folder)
    )
    shutil.rmtree(folder)


def test_swapped_files_and_folders_are_noticed(run):
  root = run / 'checkpoints'
  model, train = root / '4' / 'model', root / '4' / 'train'
  for one, other in (
    (model / '_METADATA', train / '_METADATA'),
    (model / 'manifest.ocdbt', root / '2' / 'model' / 'manifest.ocdbt'),
    (root / '2', root / '4'),
  ):
    aside = root / 'aside'
    for _ in range(2):  # there and back
      one.rename(aside)
      other.rename(one)
      aside.rename(other)
      assert bool(find_damage(root / '4')) == (_ == 0)


@pytest.mark.parametrize('name', ['model/d/more', 'metrics/other', 'more'])
def test_file_that_was_not_saved_is_noticed(run, name):
  path = run / 'checkpoints' / '4' / name
  path.write_text('more')
  assert find_damage(path.parents[name.count('/')]) == (
    f'{path} (not part of the checkpoint)'
  )


def test_hidden_files_of_the_system_are_no_damage(run):
  (run / 'checkpoints' / '4' / '.DS_Store').write_text('of a desktop')
  assert find_damage(run / 'checkpoints' / '4') == ''


def test_folder_copied_half_is_noticed(saved, tmp_path):
  files = files_of(saved / 'checkpoints' / '4')
  for number in range(len(files)):
    folder = tmp_path / str(number) / '4'
    for path in files[:number]:
      copy = folder / path.relative_to(saved / 'checkpoints' / '4')
      copy.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(path, copy)
    folder.mkdir(parents=True, exist_ok=True)
    assert find_damage(folder)


def damage_model(run, step):
  (path,) = pathlib.Path(run, 'checkpoints', str(step)).glob(
    'model/manifest.ocdbt'
  )
  flip(path, 20)
  return path


@pytest.mark.parametrize('damaged, sound', [(2, 4), (4, 2)])
def test_one_damaged_checkpoint_does_not_block_the_other(run, damaged, sound):
  path = damage_model(run, damaged)
  wanted = {2: 'best', 4: 'latest'}
  folder, metrics = choose_checkpoint(run, wanted[sound])
  verify_checkpoint(folder, '')
  target = make_state(0)
  params, _ = restore_model(folder, target.params, target.batch_stats)
  np.testing.assert_array_equal(params['w'], np.full((4, 3), sound))
  assert metrics == {'checkpoint_step': 4, 'selection_score': 0.3}
  folder, _ = choose_checkpoint(run, wanted[damaged])
  with pytest.raises(
    UserError,
    match=f'damaged checkpoint: {path} .changed since it was saved.; sound '
    f'steps: {sound}; .*--config.eval.checkpoint={sound}$',
  ):
    verify_checkpoint(folder, '--config.eval.checkpoint={step}')


def test_checkpoint_that_a_training_run_removed(run):
  folder, _ = choose_checkpoint(run)
  shutil.rmtree(folder)
  with pytest.raises(UserError, match=f'is gone: {folder}; .*command again'):
    verify_checkpoint(folder, '')
  assert choose_checkpoint(run)[0].name == '4'


def empty(folder):
  shutil.rmtree(folder)
  folder.mkdir()


@pytest.mark.parametrize(
  'damage', [empty, lambda folder: flip(folder / 'metrics' / 'metrics', 3)]
)
def test_best_is_chosen_without_metrics_of_the_latest(run, damage, capsys):
  damage(pathlib.Path(run, 'checkpoints', '4'))
  folder, metrics = choose_checkpoint(run)
  assert (folder.name, metrics) == ('2', None)
  out = capsys.readouterr().out
  assert '/4' in out
  assert 'step 2, the best of the others, is used' in out


def test_nothing_is_used_if_no_checkpoint_is_sound(run, capsys):
  damage_model(run, 2)  # its metrics are sound
  for _ in range(2):
    empty(pathlib.Path(run, 'checkpoints', '4'))
    folder, _ = choose_checkpoint(run)
    with pytest.raises(
      UserError,
      match=f'no other checkpoint is sound; .* or remove {run}/checkpoints and '
      'train again',
    ):
      verify_checkpoint(folder, '')
    assert capsys.readouterr().out == ''
    empty(pathlib.Path(run, 'checkpoints', '2'))


def test_initial_weights_are_verified(run):
  damage_model(run, 2)
  with pytest.raises(UserError, match=f'sound steps: 4; .*{run}/checkpoints/4'):
    read_network(run)
  params, _ = read_network(run / 'checkpoints' / '4')
  np.testing.assert_array_equal(params['w'], np.full((4, 3), 4))
  copy = shutil.copytree(run / 'checkpoints' / '4', run / '7')
  read_network(epath.Path(copy))  # a copy may have any name
  copy = shutil.copytree(run / 'checkpoints' / '2', run / 'mine')
  with pytest.raises(UserError, match='damaged checkpoint: .*/mine/model'):
    read_network(epath.Path(copy))


def test_damage_stops_a_run_by_default(run):
  path = damage_model(run, 4)
  with pytest.raises(
    UserError, match=f'{path}.*sound steps: 2; .*on_damage=fall_back'
  ):
    verify_all(run, 'stop')


def test_run_falls_back_when_asked(run, capsys):
  for _ in range(2):  # the second copy gets another name
    damage_model(run, 4)
    verify_all(run, 'fall_back')
    shutil.copytree(run / 'checkpoints' / '2', run / 'checkpoints' / '4')
  assert 'going on from step 2' in capsys.readouterr().out
  shutil.rmtree(run / 'checkpoints' / '4')
  assert {path.name for path in (run / 'checkpoints').iterdir()} == {
    '2',
    '4.damaged',
    '4.damaged-2',
  }
  with Checkpoints(run) as checkpoints:
    assert checkpoints.latest_step() == 2
    checkpoints.save(4, make_state(4), {'selection_score': 0.3})
  assert saved_steps(run) == [2, 4]


@pytest.mark.parametrize('on_damage', ['stop', 'fall_back'])
def test_run_without_any_sound_checkpoint_stops(run, on_damage):
  damage_model(run, 2)
  empty(pathlib.Path(run, 'checkpoints', '4'))
  with pytest.raises(UserError, match='/4 .it has no manifest.*no other'):
    verify_all(run, on_damage)


@pytest.fixture
def older(run):
  """The run as earlier versions saved it, without manifests."""
  for step in (2, 4):
    folder = run / 'checkpoints' / str(step)
    (folder / 'manifest.json').unlink()
    (folder / 'commit_success.txt').write_text('Checkpoint commit was ...')
  return run


def test_checkpoints_of_earlier_versions_can_be_used(older, capsys):
  for _ in range(2):
    verify_all(older, 'stop')
  assert capsys.readouterr().out.count('not verified: ') == 2
  with Checkpoints(older) as checkpoints:
    state = checkpoints.restore(4, make_state(0))
    checkpoints.save(6, make_state(6), {'selection_score': 0.4})
  assert state.step == 4
  assert saved_steps(older) == [2, 6]


def test_damage_of_earlier_versions_is_one_line(older):
  path = older / 'checkpoints' / '4' / 'model' / 'manifest.ocdbt'
  os.truncate(path, 20)
  target = make_state(0)
  folder = older / 'checkpoints' / '4'
  verify_checkpoint(folder, '')  # nothing tells
  with pytest.raises(UserError, match=f'damaged checkpoint: {folder} '):
    restore_model(folder, target.params, target.batch_stats)
  os.truncate(path, 0)
  with pytest.raises(UserError, match='ocdbt .empty.; sound steps: 2'):
    verify_checkpoint(folder, '')


@pytest.mark.parametrize(
  'content',
  [b'\xff{', b'[]', b'null', b'[' * 50_000],
  ids=['bytes', 'list', 'null', 'deep'],
)
def test_damaged_metrics_of_earlier_versions_are_one_line(older, content):
  path = older / 'checkpoints' / '4' / 'metrics' / 'metrics'
  path.write_bytes(content)
  with pytest.raises(UserError, match=f'{path} .not readable.; sound steps: 2'):
    verify_all(older, 'stop')


@pytest.mark.parametrize(
  'score', ['NaN', 'Infinity', '1e999', '1' * 400, '"x"']
)
def test_scores_of_earlier_versions_that_are_no_numbers(older, score):
  metrics = older / 'checkpoints' / '4' / 'metrics' / 'metrics'
  metrics.write_text(f'{{"selection_score": {score}}}')
  verify_all(older, 'stop')
  assert choose_checkpoint(older)[0].name == '2'
  with Checkpoints(older) as checkpoints:
    checkpoints.save(6, make_state(6), {'selection_score': 0.4})
  assert saved_steps(older) == [2, 6]


def test_manifest_of_an_infinite_step(run):
  path = run / 'checkpoints' / '4' / 'manifest.json'
  path.write_text('{"step": 1e999, "files": {}}')
  assert find_damage(path.parent) == f'{path} (changed since it was saved)'
